import { useRef, useState } from "react";

import { exportUrl } from "../../api/client";
import { IconButton } from "../controls/IconButton";
import { Download } from "../controls/icons";
import { Switch } from "../controls/Switch";
import { useSync, useWorkbench } from "../state/context";

/** Downloads the labels of all cases as the server has them; unsent work is sent first. */
export function Downloads() {
  const { bench } = useWorkbench();
  const { pending } = useSync();
  const dialog = useRef<HTMLDialogElement>(null);
  const [finished, setFinished] = useState(false);
  const open = () => {
    void bench.sync.flush();
    dialog.current?.showModal();
  };
  const close = () => dialog.current?.close();
  return (
    <>
      <IconButton label="Download the labels" onClick={open} testid="downloads">
        <Download />
      </IconButton>
      <dialog ref={dialog} className="downloads" aria-labelledby="downloads-title" data-testid="downloads-dialog">
        <div className="dialog-head">
          <h2 id="downloads-title">Download the labels of all cases</h2>
          <button type="button" className="quiet" onClick={close}>
            Close
          </button>
        </div>
        <Switch
          label="Finished cases only: done or approved"
          checked={finished}
          onChange={setFinished}
          testid="download-finished"
        />
        <ul>
          <li>
            <a
              className="quiet"
              href={exportUrl("coco", finished)}
              download
              onClick={close}
              data-testid="download-coco"
            >
              COCO
            </a>
            <span>One JSON file: every object with its mask, its class and the tooth it belongs to.</span>
          </li>
          <li>
            <a
              className="quiet"
              href={exportUrl("png", finished)}
              download
              onClick={close}
              data-testid="download-png"
            >
              Masks, PNG
            </a>
            <span>A ZIP file with a folder per case, and in it a black and white picture per object.</span>
          </li>
        </ul>
        {pending > 0 && (
          <p className="hint warn">
            The last {pending === 1 ? "step is" : `${pending} steps are`} not on the server yet, and would be missing.
          </p>
        )}
      </dialog>
    </>
  );
}
