import "./ui/theme.css";

import { createRoot, type Root } from "react-dom/client";

import { errorMessage } from "./api/errors";
import { takeKey } from "./api/page_key";
import { App } from "./ui/App";
import { visible } from "./ui/labels/visible_text";
import { AnnotationActions } from "./ui/state/annotation_actions";
import { Workbench } from "./ui/state/workbench";

takeKey();
const place = document.getElementById("root");
if (place) void start(createRoot(place));

async function start(root: Root): Promise<void> {
  root.render(<p className="starting">Opening the worklist …</p>);
  try {
    const bench = await Workbench.start();
    document.title = `${visible(bench.session.folder)} · dentasam`;
    root.render(<App value={{ bench, actions: new AnnotationActions(bench) }} />);
  } catch (error) {
    root.render(
      <div className="starting" role="alert">
        <p>{visible(errorMessage(error))}</p>
        <button type="button" className="quiet" onClick={() => location.reload()}>
          Try again
        </button>
      </div>,
    );
  }
}
