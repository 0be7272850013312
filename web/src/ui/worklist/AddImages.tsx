import { useEffect, useRef } from "react";
import type { Numbering } from "../../api/types";
import { IconButton } from "../controls/IconButton";
import { Close } from "../controls/icons";
import { useWorkbench } from "../state/context";
import { useStore } from "../state/store";
import { dropped, type FileUpload } from "./file_uploads";

/** Adds images and annotations through a file dialog. */
export function AddImagesButton() {
  const { bench } = useWorkbench();
  const { uploads } = bench;
  const input = useRef<HTMLInputElement>(null);
  const choose = () => input.current?.click();
  return (
    <>
      <button
        type="button"
        className="quiet"
        title="Images, or annotations in any format; files can be dropped on the page, too"
        onClick={choose}
        data-testid="add-images"
      >
        Add files …
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label="Files to add"
        onChange={(event) => {
          void uploads.add([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = "";
        }}
        data-testid="image-files"
      />
    </>
  );
}

/** Takes files dropped anywhere on the page, and lists what became of each until the list is closed. */
export function AddImages() {
  const { bench } = useWorkbench();
  const { uploads } = bench;
  const { list, dragging } = useStore(uploads, (state) => state);

  useEffect(() => {
    const carriesFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const over = (event: DragEvent) => {
      if (!carriesFiles(event)) return;
      // Otherwise the browser would leave the page to show the file.
      event.preventDefault();
      // Also where nothing can be added: without a drop effect there is no drop event and no message that says why.
      if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
      uploads.set({ dragging: true });
    };
    const left = (event: DragEvent) => event.relatedTarget === null && uploads.set({ dragging: false });
    const drop = (event: DragEvent) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      uploads.set({ dragging: false });
      if (event.dataTransfer) void uploads.add(dropped(event.dataTransfer));
    };
    window.addEventListener("dragover", over);
    window.addEventListener("dragleave", left);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragover", over);
      window.removeEventListener("dragleave", left);
      window.removeEventListener("drop", drop);
    };
  }, [uploads]);

  const busy = list.some(({ state }) => state === "waiting" || state === "sending");
  return (
    <>
      {dragging && (
        <div className="drop-zone" data-testid="drop-zone">
          <p>
            {uploads.obstacle === null
              ? "Drop images to add them to the worklist, or annotations of its images in any format"
              : `Drop annotations in any format. No images can be added here: ${uploads.obstacle}`}
          </p>
        </div>
      )}
      {list.length > 0 && (
        <section className="additions" aria-label="Added files" data-testid="additions" data-busy={busy}>
          <header>
            <h2>Adding files</h2>
            <IconButton
              label="Close the list"
              onClick={() => uploads.clear()}
              disabled={busy}
              testid="close-additions"
            >
              <Close />
            </IconButton>
          </header>
          <ul aria-live="polite">
            {list.map((one) => (
              <li key={one.key} data-state={one.state} data-testid="addition">
                <bdi className="addition-name">{one.name}</bdi> <Outcome one={one} />
                {one.state === "asked" && <NumberingQuestion one={one} />}
                {one.notes.length > 0 && (
                  <ul className="addition-notes">
                    {one.notes.map((note) => (
                      <li key={note}>{note}</li>
                    ))}
                  </ul>
                )}
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function Outcome({ one }: { one: FileUpload }) {
  switch (one.state) {
    case "waiting":
      return <span>waits</span>;
    case "sending":
      return <progress value={one.share} aria-label={`${one.name} is sent`} />;
    case "added":
      return <span>added</span>;
    case "known":
      return <span>is there already</span>;
    case "imported":
      return <span>annotations: {one.detail}</span>;
    case "asked":
      return <span>{one.detail}</span>;
    case "refused":
      return <span>not added: {one.detail}</span>;
  }
}

const NUMBERINGS: readonly [Numbering, string, string][] = [
  ["fdi", "FDI", "FDI: 36 is the lower left first molar"],
  ["universal", "Universal", "Universal: 19 is the lower left first molar"],
  ["palmer", "Palmer", "Palmer: LL6 is the lower left first molar"],
];

/** Asks how the teeth of a file are numbered, and sends it again with the answer. */
function NumberingQuestion({ one }: { one: FileUpload }) {
  const { bench } = useWorkbench();
  return (
    <fieldset className="addition-question" aria-label={`Teeth of ${one.name} are numbered in`}>
      {NUMBERINGS.map(([numbering, name, title]) => (
        <button
          key={numbering}
          type="button"
          className="quiet"
          title={title}
          onClick={() => void bench.uploads.answer(one.key, numbering)}
          data-testid={`numbering-${numbering}`}
        >
          {name}
        </button>
      ))}
    </fieldset>
  );
}
