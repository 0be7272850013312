import type { ReactNode } from "react";

import { type Command, keyOf } from "../keyboard/shortcuts";

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
export function IconButton({
  label,
  name,
  command,
  onClick,
  children,
  pressed,
  disabled,
  className,
  testid,
}: ButtonProps) {
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
