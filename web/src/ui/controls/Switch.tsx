interface SwitchProps {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
  testid?: string;
  title?: string;
}

export function Switch({ label, checked, onChange, testid, title }: SwitchProps) {
  return (
    <label className="switch" title={title}>
      <input
        type="checkbox"
        role="switch"
        checked={checked}
        onChange={(event) => onChange(event.currentTarget.checked)}
        data-testid={testid}
      />
      <span>{label}</span>
    </label>
  );
}
