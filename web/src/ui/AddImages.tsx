import { useEffect, useRef } from "react";

import { dropped, type Addition } from "./additions";
import { useDesk } from "./context";
import { IconButton } from "./controls";
import { Close } from "./icons";
import { useStore } from "./store";

/** The way to more images for hands that do not drag. */
export function AddImagesButton() {
  const { bench } = useDesk();
  const { additions } = bench;
  const input = useRef<HTMLInputElement>(null);
  const choose = () => {
    if (additions.obstacle === null) input.current?.click();
    else bench.say(`No images can be added here: ${additions.obstacle}.`, "warning");
  };
  return (
    <>
      <button type="button" className="quiet" title={additions.obstacle ?? "Files can be dropped on the page, too"} onClick={choose} data-testid="add-images">
        Add images …
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label="Image files to add"
        onChange={(event) => {
          void additions.add([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = "";
        }}
        data-testid="image-files"
      />
    </>
  );
}

/** Files may be dropped anywhere on the page; what became of each is listed until it is closed. */
export function AddImages() {
  const { bench } = useDesk();
  const { additions } = bench;
  const { list, dragging } = useStore(additions, (state) => state);

  useEffect(() => {
    const carriesFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const over = (event: DragEvent) => {
      if (!carriesFiles(event)) return;
      // Else the browser would leave the page to show the file.
      event.preventDefault();
      // Where nothing can be added too: without an effect there is no drop, and so no line that says why.
      event.dataTransfer!.dropEffect = "copy";
      additions.set({ dragging: true });
    };
    const left = (event: DragEvent) => event.relatedTarget === null && additions.set({ dragging: false });
    const drop = (event: DragEvent) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      additions.set({ dragging: false });
      void additions.add(dropped(event.dataTransfer!));
    };
    window.addEventListener("dragover", over);
    window.addEventListener("dragleave", left);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragover", over);
      window.removeEventListener("dragleave", left);
      window.removeEventListener("drop", drop);
    };
  }, [additions]);

  const busy = list.some(({ state }) => state === "waiting" || state === "sending");
  return (
    <>
      {dragging && (
        <div className="drop-zone" data-testid="drop-zone">
          <p>{additions.obstacle === null ? "Drop image files to add them to the worklist" : `No images can be added here: ${additions.obstacle}`}</p>
        </div>
      )}
      {list.length > 0 && (
        <section className="additions" role="region" aria-label="Added images" data-testid="additions" data-busy={busy}>
          <header>
            <h2>Adding images</h2>
            <IconButton label="Close the list" onClick={() => additions.clear()} disabled={busy} testid="close-additions">
              <Close />
            </IconButton>
          </header>
          <ul aria-live="polite">
            {list.map((one) => (
              <li key={one.key} data-state={one.state} data-testid="addition">
                <span className="addition-name">{one.name}</span> <Outcome one={one} />
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function Outcome({ one }: { one: Addition }) {
  switch (one.state) {
    case "waiting":
      return <span>waits</span>;
    case "sending":
      return <progress value={one.share} aria-label={`${one.name} is sent`} />;
    case "added":
      return <span>added</span>;
    case "known":
      return <span>is there already</span>;
    case "refused":
      return <span>not added: {one.detail}</span>;
  }
}
