// Which part of the page may import which. `npm run check` holds the arrows:
//
//   ui  →  api  →  engine          engine:  stage  →  input  →  render  →  editing  →  masks  →  geometry

/** A room may import what lies in itself and in the rooms of `allowed`, and nothing else of its parent. */
const only = (name, from, parent, allowed) => ({
  name,
  severity: "error",
  from: { path: from, pathNot: "\\.(test|testing)\\.tsx?$" },
  to: { path: parent, pathNot: [from, ...allowed, "\\.json$"] },
});

/** Small modules without a room of their own that all rooms of the engine share. */
const SHARED = "^src/engine/(case_image|new_id|palette|stage_events|timing_samples)\\.ts$";
const OPERATIONS = "^src/engine/operations\\.ts$";
const room = (name) => `^src/engine/${name}/`;

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    { name: "no-circles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-orphans",
      severity: "error",
      from: { orphan: true, pathNot: "\\.(d\\.ts|test\\.tsx?|css)$" },
      to: {},
    },
    {
      name: "engine-stands-alone",
      severity: "error",
      from: { path: "^src/engine/" },
      to: { path: "^src/(api|ui)/" },
    },
    { name: "api-without-ui", severity: "error", from: { path: "^src/api/" }, to: { path: "^src/ui/" } },
    {
      name: "no-framework-below-ui",
      severity: "error",
      from: { path: "^src/(engine|api)/" },
      to: { path: "node_modules/react" },
    },
    only("geometry", room("geometry"), "^src/engine/", []),
    only("masks", room("masks"), "^src/engine/", [room("geometry")]),
    only("operations", OPERATIONS, "^src/engine/", [room("geometry"), room("masks")]),
    only("editing", room("editing"), "^src/engine/", [SHARED, OPERATIONS, room("geometry"), room("masks")]),
    only("render", room("render"), "^src/engine/", [
      SHARED,
      OPERATIONS,
      room("geometry"),
      room("masks"),
      room("editing"),
    ]),
    only("input", room("input"), "^src/engine/", [
      SHARED,
      OPERATIONS,
      room("geometry"),
      room("masks"),
      room("editing"),
      room("render"),
    ]),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    // Imports of types count too.
    tsPreCompilationDeps: true,
  },
};
