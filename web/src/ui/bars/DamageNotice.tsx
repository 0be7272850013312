import { focusCanvas } from "../canvas/focus_canvas";
import { IconButton } from "../controls/IconButton";
import { Close } from "../controls/icons";
import { visible } from "../labels/visible_text";
import { useBench, useWorkbench } from "../state/context";

/** What of the open case is damaged, until it is closed. It has a row of its own above the picture and covers nothing. */
export function DamageNotice() {
  const { bench } = useWorkbench();
  const damaged = useBench((state) => state.damaged);
  const close = () => {
    bench.closeDamage();
    // The button that had it is gone.
    focusCanvas();
  };
  return (
    <div className="damage" role="status" aria-live="polite" aria-label="Damage" data-region="damage">
      {damaged.length > 0 && (
        <section className="damage-notice" data-testid="damage-notice">
          <div>
            <h2>A part of this case is damaged in the database.</h2>
            {/* A long list is scrolled by keyboard. */}
            <ul tabIndex={0} aria-label="What is damaged">
              {damaged.map((part) => (
                <li key={`${part.object}${part.what}`}>{visible(part.what)}</li>
              ))}
            </ul>
            <p>
              Everything else can be seen and edited. Unsent work on what is damaged is kept in this browser. Whoever
              runs the server finds in its guide, under Damage, how to go on.
            </p>
          </div>
          <IconButton label="Close the notice" onClick={close} testid="close-damage">
            <Close />
          </IconButton>
        </section>
      )}
    </div>
  );
}
