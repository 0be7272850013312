import { useEffect, useState } from "react";
import { IconButton } from "../controls/IconButton";
import { Fit } from "../controls/icons";
import { useBench, useWorkbench } from "../state/context";
import { pointerReadout } from "../state/pointer_readout";
import { useStore } from "../state/store";
import { SaveState } from "./SaveState";
import { TransparencyBar } from "./TransparencyBar";

/** Always visible: transparency, pixel value, zoom, active time, save state. */
export function BottomBar() {
  return (
    <footer className="bottom-bar" data-region="bar">
      <TransparencyBar />
      <Reading />
      <Zoom />
      <ActiveClock />
      <SaveState />
    </footer>
  );
}

/** Place and raw value of the pixel under the pointer. */
function Reading() {
  const hover = useStore(pointerReadout, (value) => value.hover);
  return (
    <span className="reading" aria-hidden="true" data-testid="reading">
      {hover
        ? `${Math.floor(hover.point[0])}, ${Math.floor(hover.point[1])}${hover.value === null ? "" : ` · ${hover.value}`}`
        : ""}
    </span>
  );
}

function Zoom() {
  const { bench } = useWorkbench();
  const zoom = useStore(pointerReadout, (value) => value.zoom);
  return (
    <span className="zoom">
      <output data-testid="zoom" title="Zoom">
        {zoom !== null && `${Math.round(zoom * 100)} %`}
      </output>
      <IconButton label="Fit the picture" command="fit" onClick={() => bench.stage?.fit()} testid="fit">
        <Fit />
      </IconButton>
    </span>
  );
}

export function clockText(seconds: number): string {
  const whole = Math.floor(seconds);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = String(whole % 60).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

function ActiveClock() {
  const { bench } = useWorkbench();
  const open = useBench((state) => state.caseId);
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const read = () => setSeconds(bench.activeTime.seconds);
    read();
    const timer = setInterval(read, 1000);
    return () => clearInterval(timer);
  }, [bench, open]);
  return (
    <span className="clock" title="Active time of this case; pauses are not counted" data-testid="active-time">
      {open !== null && clockText(seconds)}
    </span>
  );
}
