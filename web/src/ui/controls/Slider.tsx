interface SliderProps {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  onChange: (value: number) => void;
  shown?: string;
  testid?: string;
  className?: string;
  title?: string;
}

export function Slider({ label, value, min, max, step, onChange, shown, testid, className, title }: SliderProps) {
  return (
    <label className={`slider ${className ?? ""}`} title={title}>
      <span className="slider-label">{label}</span>
      <input
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        aria-valuetext={shown}
        onChange={(event) => onChange(event.currentTarget.valueAsNumber)}
        data-testid={testid}
      />
      {shown !== undefined && <output className="slider-value">{shown}</output>}
    </label>
  );
}
