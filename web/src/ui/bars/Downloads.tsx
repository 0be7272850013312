import { useRef, useState } from "react";

import * as client from "../../api/client";
import { errorMessage } from "../../api/errors";
import type { DatasetFormat } from "../../api/types";
import { IconButton } from "../controls/IconButton";
import { Download } from "../controls/icons";
import { Switch } from "../controls/Switch";
import { useSync, useWorkbench } from "../state/context";

const NUMBERINGS = { fdi: "FDI", universal: "Universal", palmer: "Palmer" };

/** Downloads the labels of all cases as the server has them; unsent work is sent first. */
export function Downloads() {
  const { bench } = useWorkbench();
  const { pending } = useSync();
  const dialog = useRef<HTMLDialogElement>(null);
  const [finished, setFinished] = useState(false);
  const [numbering, setNumbering] = useState("fdi");
  const [formats, setFormats] = useState<readonly DatasetFormat[]>([]);
  const open = () => {
    void bench.sync.flush();
    client.formats().then(
      (found) => setFormats(found.filter(({ writes }) => writes)),
      (error: unknown) => bench.toast(`The formats cannot be listed: ${errorMessage(error)}`, "error"),
    );
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
        <label className="numbering">
          Tooth numbers
          <select
            value={numbering}
            onChange={(event) => setNumbering(event.currentTarget.value)}
            data-testid="download-numbering"
          >
            {Object.entries(NUMBERINGS).map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <ul>
          {formats.map((one) => (
            <FormatRow key={one.name} one={one} finished={finished} numbering={numbering} close={close} />
          ))}
        </ul>
        <p className="hint">The images are not in these files; they stay where they are.</p>
        {pending > 0 && (
          <p className="hint warn">
            The last {pending === 1 ? "step is" : `${pending} steps are`} not on the server yet, and would be missing.
          </p>
        )}
      </dialog>
    </>
  );
}

interface Row {
  one: DatasetFormat;
  finished: boolean;
  numbering: string;
  close: () => void;
}

function FormatRow({ one, finished, numbering, close }: Row) {
  const { name, summary, loses, missing } = one;
  return (
    <li>
      {missing === null ? (
        <a
          className="quiet"
          href={client.exportUrl(name, finished, numbering)}
          download
          onClick={close}
          data-testid={`download-${name}`}
        >
          {name}
        </a>
      ) : (
        <span className="quiet">{name}</span>
      )}
      <span>
        {missing === null ? summary : `Not installed on the server: ${missing}`}
        {loses && <small> Loses {loses}.</small>}
      </span>
    </li>
  );
}
