import type { ReactNode } from "react";

import { keyOf, type Command } from "./shortcuts";

interface ButtonProps {
  label: string;
  /** One or two words that stand beside the icon while the tour is open. */
  name?: string;
  command?: Command;
  onClick: () => void;
  children: ReactNode;
  pressed?: boolean;
  disabled?: boolean;
  className?: string;
  testid?: string;
}

/** A button of one icon; the label is read aloud and shown with its key. */
export function IconButton({ label, name, command, onClick, children, pressed, disabled, className, testid }: ButtonProps) {
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
      {name && <span className="tool-name">{name}</span>}
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
      <input type="checkbox" role="switch" checked={checked} onChange={(event) => onChange(event.currentTarget.checked)} data-testid={testid} />
      <span>{label}</span>
    </label>
  );
}
