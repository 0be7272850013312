import { useBench } from "../state/context";
import { BrushTools } from "./BrushTools";
import { MaskTools } from "./MaskTools";
import { ToolChoice } from "./ToolChoice";

/** The tools in one narrow column; while the tour is open, each with its name. */
export function Toolbar() {
  const touring = useBench((state) => state.tour !== null);
  return (
    <nav className={`toolbar ${touring ? "named" : ""}`} aria-label="Tools" data-region="tools">
      <ToolChoice />
      <hr />
      <BrushTools />
      <hr />
      <MaskTools />
    </nav>
  );
}
