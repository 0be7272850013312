import type { ReactNode } from "react";

import { keyOf, type Command } from "./shortcuts";

interface ButtonProps {
  label: string;
  command?: Command;
  onClick: () => void;
  children: ReactNode;
  pressed?: boolean;
  disabled?: boolean;
  className?: string;
  testid?: string;
}

/** A button of one icon; the label is read aloud and shown with its key. */
export function IconButton({ label, command, onClick, children, pressed, disabled, className, testid }: ButtonProps) {
  const key = command ? keyOf(command) : "";
  return (
    <button
      type="button"
      className={`icon-button ${className ?? ""}`}
      title={key ? `${label} (${key})` : label}
      aria-label={label}
      aria-keyshortcuts={key && /^[\w+]+$/.test(key) ? key.replace("Ctrl", "Control") : undefined}
      aria-pressed={pressed}
      disabled={disabled}
      onClick={onClick}
      data-testid={testid}
    >
      {children}
    </button>
  );
}

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
}

export function Slider({ label, value, min, max, step, onChange, shown, testid, className }: SliderProps) {
  return (
    <label className={`slider ${className ?? ""}`}>
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

interface SwitchProps {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
  testid?: string;
}

export function Switch({ label, checked, onChange, testid }: SwitchProps) {
  return (
    <label className="switch">
      <input type="checkbox" role="switch" checked={checked} onChange={(event) => onChange(event.currentTarget.checked)} data-testid={testid} />
      <span>{label}</span>
    </label>
  );
}
