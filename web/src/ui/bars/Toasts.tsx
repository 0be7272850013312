import { IconButton } from "../controls/IconButton";
import { Close } from "../controls/icons";
import { useWorkbench } from "../state/context";
import { useStore } from "../state/store";

export function Toasts() {
  const { bench } = useWorkbench();
  const toasts = useStore(bench.toasts, (state) => state.list);
  return (
    <div className="toasts" role="log" aria-live="polite" aria-label="Messages" data-testid="toasts">
      {toasts.map((toast) => (
        <div key={toast.id} className={`toast ${toast.kind}`} data-testid="toast">
          <span>{toast.text}</span>
          {toast.action && (
            <button
              type="button"
              className="quiet"
              onClick={() => {
                bench.toasts.dismiss(toast.id);
                toast.action?.run();
              }}
              data-testid="toast-action"
            >
              {toast.action.label}
            </button>
          )}
          <IconButton label="Close the message" onClick={() => bench.toasts.dismiss(toast.id)}>
            <Close />
          </IconButton>
        </div>
      ))}
    </div>
  );
}
