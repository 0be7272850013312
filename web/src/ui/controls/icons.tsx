import type { ReactNode } from "react";

function Icon({ children }: { children: ReactNode }) {
  return (
    <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true" focusable="false" className="icon">
      {children}
    </svg>
  );
}

const path = (d: string) => () => (
  <Icon>
    <path d={d} />
  </Icon>
);

export const Positive = () => (
  <Icon>
    <circle cx="10" cy="10" r="7.5" />
    <path d="M10 6.5v7M6.5 10h7" />
  </Icon>
);
export const Negative = () => (
  <Icon>
    <circle cx="10" cy="10" r="7.5" />
    <path d="M6.5 10h7" />
  </Icon>
);
export const Box = path("M3 6V3h3M14 3h3v3M17 14v3h-3M6 17H3v-3M7 7h6v6H7z");
export const Brush = path(
  "M16.5 3.5c-3 1-6.5 4.5-8 7l2 2c2.5-1.5 6-5 7-8zM8 11c-2 0-3.2 1-3.5 3-.2 1.3-.8 2-2 2.5 3 1 7 .5 7.5-3.5",
);
export const Eraser = path("M8 16l-4.5-4.5 8-8 5 5L9 16zM7.5 7.5l5 5M6 16.5h11");
export const LassoAdd = path(
  "M10 3c4 0 7 2 7 5s-3 5-7 5c-1.5 0-2.8-.3-4-.8M6 12c-2-.8-3-2.3-3-4 0-3 3-5 7-5M6 12c-1.5.5-2 2 0 2.5s1 2.5-1 2.5M14 15h4M16 13v4",
);
export const LassoSubtract = path(
  "M10 3c4 0 7 2 7 5s-3 5-7 5c-1.5 0-2.8-.3-4-.8M6 12c-2-.8-3-2.3-3-4 0-3 3-5 7-5M6 12c-1.5.5-2 2 0 2.5s1 2.5-1 2.5M14 16h4",
);
export const Select = path("M5 3l10 7-4.5.8L13 16l-2 1-2.3-5.3L5.5 15z");
export const Pan = path(
  "M10 2v16M2 10h16M10 2L8 4M10 2l2 2M10 18l-2-2M10 18l2-2M2 10l2-2M2 10l2 2M18 10l-2-2M18 10l-2 2",
);
export const Window = () => (
  <Icon>
    <circle cx="10" cy="10" r="7" />
    <path d="M10 3a7 7 0 0 1 0 14z" className="solid" />
  </Icon>
);
export const FillHoles = () => (
  <Icon>
    <circle cx="10" cy="10" r="7" />
    <circle cx="10" cy="10" r="2.5" className="solid" />
  </Icon>
);
export const DropIslands = () => (
  <Icon>
    <circle cx="8" cy="11" r="5.5" />
    <path d="M14 3l4 4M18 3l-4 4" />
  </Icon>
);
export const Smooth = path("M2 13c2 0 2-6 4-6s2 6 4 6 2-6 4-6 2 3 4 3");
export const Refine = path("M10 3l1.5 4.5L16 9l-4.5 1.5L10 15l-1.5-4.5L4 9l4.5-1.5zM16 14v4M14 16h4");
export const AutoRefine = path("M16 10a6 6 0 1 1-2-4.5M14 2v4h-4M8 12l2-5 2 5M8.8 10.5h2.400");
export const Undo = path("M7 4L3 8l4 4M3 8h8a5 5 0 0 1 0 9H8");
export const Redo = path("M13 4l4 4-4 4M17 8H9a5 5 0 0 0 0 9h3");
export const Round = () => (
  <Icon>
    <circle cx="10" cy="10" r="6" />
  </Icon>
);
export const Square = path("M4.5 4.5h11v11h-11z");
// Behind the neighbour, in front the object that is painted.
export const Overlap = () => (
  <Icon>
    <path d="M3 3h9v9H3zM8 8h9v9H8z" />
    <path d="M8 8h4v4H8z" className="solid" />
  </Icon>
);
export const Protect = () => (
  <Icon>
    <path d="M3 3h9v9H3z" />
    <path d="M14 8h3v9H8v-3h6z" className="solid" />
  </Icon>
);
export const Take = () => (
  <Icon>
    <path d="M12 5.5V3H3v9h2.5" />
    <path d="M8 8h9v9H8z" className="solid" />
  </Icon>
);
export const Limited = path("M2 16h3V9h3V5h4v4h3v7h3M2 12h1M17 12h1");
export const New = path("M10 3v14M3 10h14");
export const Eye = () => (
  <Icon>
    <path d="M2 10c2-3.5 5-5 8-5s6 1.5 8 5c-2 3.5-5 5-8 5s-6-1.5-8-5z" />
    <circle cx="10" cy="10" r="2.2" />
  </Icon>
);
export const EyeOff = path(
  "M3 3l14 14M6 6c-1.6.9-3 2.2-4 4 2 3.5 5 5 8 5 1.2 0 2.400-.2 3.5-.7M9 5h1c3 0 6 1.5 8 5-.5.9-1.1 1.7-1.8 2.3",
);
export const Lock = path("M5 9h10v8H5zM7 9V6a3 3 0 0 1 6 0v3");
export const Unlock = path("M5 9h10v8H5zM7 9V6a3 3 0 0 1 5.8-1");
export const Check = path("M4 10.5l4 4 8-9");
export const Bin = path("M4 6h12M8 6V4h4v2M6 6l.7 11h6.6L14 6M9 9v5M11 9v5");
export const List = path("M3 5h2M8 5h9M3 10h2M8 10h9M3 15h2M8 15h9");
export const Panel = path("M3 4h14v12H3zM12 4v12");
export const Previous = path("M12.5 4L6.5 10l6 6");
export const Next = path("M7.5 4l6 6-6 6");
export const Help = path("M7 7.5a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.1-1.5 2.400M10 15.5v.5");
export const Theme = path("M15.5 12A6.5 6.5 0 0 1 8 4.5 6.5 6.5 0 1 0 15.5 12z");
export const Fit = path("M3 7V3h4M13 3h4v4M17 13v4h-4M7 17H3v-4");
export const Download = path("M10 3v9M6 8.5l4 4 4-4M3.5 14v2.5h13V14");
export const Plus = path("M10 4v12M4 10h12");
export const Minus = path("M4 10h12");
export const More = path("M4 10h.5M9.75 10h.5M15.5 10h.5");
export const Close = path("M5 5l10 10M15 5L5 15");
