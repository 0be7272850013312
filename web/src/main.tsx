import "./ui/theme.css";

import { createRoot, type Root } from "react-dom/client";

import { App } from "./ui/App";
import { Flow } from "./ui/flow";
import { message, Workbench } from "./ui/workbench";

const place = document.getElementById("root");
if (place) void start(createRoot(place));

async function start(root: Root): Promise<void> {
  root.render(<p className="starting">Opening the worklist …</p>);
  try {
    const bench = await Workbench.start();
    document.title = `${bench.session.folder} · dentasam`;
    root.render(<App desk={{ bench, flow: new Flow(bench) }} />);
  } catch (fault) {
    root.render(
      <div className="starting" role="alert">
        <p>{message(fault)}</p>
        <button type="button" className="quiet" onClick={() => location.reload()}>
          Try again
        </button>
      </div>,
    );
  }
}
