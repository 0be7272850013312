interface ToolNumberProps {
  /** One word that stands beside the field while the tour is open. */
  name: string;
  label: string;
  /** Tooltip; the label if left out. */
  title?: string;
  value: number;
  min: number;
  max: number;
  onChange: (value: number) => void;
  testid: string;
}

/** A number field of the toolbar. */
export function ToolNumber({ name, label, title = label, value, min, max, onChange, testid }: ToolNumberProps) {
  return (
    <span className="tool-number">
      <span className="tool-name" aria-hidden="true">
        {name}
      </span>
      <input
        className="tool-number-field"
        type="number"
        min={min}
        max={max}
        value={value}
        aria-label={label}
        title={title}
        onChange={(event) => event.currentTarget.value && onChange(event.currentTarget.valueAsNumber)}
        data-testid={testid}
      />
    </span>
  );
}
