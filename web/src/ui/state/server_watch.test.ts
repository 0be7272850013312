import { expect, it } from "vitest";

import { ApiError, OfflineError } from "../../api/errors";
import type { Picture, Progress } from "../../api/types";
import { ServerWatch, type Shown } from "./server_watch";

const PROGRESS: Progress = {
  encoded: 2,
  total: 2,
  current: null,
  failed: [],
  workspace: "w",
  annotator: "anna",
  proposing: [],
  worklist: 0,
};

function setUp(sign_out = false) {
  const page = {
    progress: async (): Promise<Progress> => PROGRESS,
    picture: async (_: number): Promise<Picture> => ({ picture: "p", problem: null }),
    shown: { id: 1, picture: "p" } as Shown | null,
    back: 0,
    seen: [] as Progress[],
    held: [] as [number, string][],
  };
  const watch = new ServerWatch(
    { workspace: "w", annotator: "anna", sign_out },
    {
      shown: () => page.shown,
      progressed: (progress) => page.seen.push(progress),
      holds: (...held) => page.held.push(held),
      back: () => page.back++,
    },
    { progress: () => page.progress(), picture: (id) => page.picture(id) },
  );
  return { page, watch };
}

const raising = (error: Error) => async () => {
  throw error;
};

it("says what keeps the page from its server, and sends what waited once it is back", async () => {
  const { page, watch } = setUp();
  await watch.look();
  expect(watch.get()).toEqual({ link: "connected", picture: null });
  page.progress = raising(new OfflineError());
  await watch.look();
  expect(watch.get().link).toBe("unreachable");
  page.progress = raising(new ApiError(401, "not complete"));
  await watch.look();
  expect(watch.get().link).toBe("token-changed");
  page.progress = async () => ({ ...PROGRESS, workspace: "another" });
  await watch.look();
  expect(watch.get().link).toBe("other-workspace");
  expect(page.back).toBe(0);
  page.progress = async () => PROGRESS;
  await watch.look();
  expect(watch.get().link).toBe("connected");
  expect(page.back).toBe(1);
  expect(page.seen).toHaveLength(2);
});

it("passes on what the file of the case on the screen holds", async () => {
  const { page, watch } = setUp();
  await watch.look();
  page.picture = async () => ({ picture: "q", problem: null });
  await watch.look();
  page.picture = async () => ({ picture: null, problem: "gone" });
  await watch.look();
  expect(page.held).toEqual([
    [1, "p"],
    [1, "q"],
  ]);
});

it("tells a session that ended from another annotator's", async () => {
  const { page, watch } = setUp(true);
  page.progress = raising(new ApiError(401, "not signed in"));
  await watch.look();
  expect(watch.get().link).toBe("signed-out");
  page.progress = async () => ({ ...PROGRESS, annotator: "ben" });
  await watch.look();
  expect(watch.get().link).toBe("other-annotator");
});

it("notices that the file of the open case holds another picture", async () => {
  const { page, watch } = setUp();
  page.picture = async () => ({ picture: "q", problem: null });
  await watch.look();
  expect(watch.get().picture).toEqual({ id: 1, problem: null });
  page.picture = async () => ({ picture: "r", problem: "opg.png has another size" });
  await watch.look();
  expect(watch.get().picture).toEqual({ id: 1, problem: "opg.png has another size" });
  page.picture = async () => ({ picture: "p", problem: null });
  await watch.look();
  expect(watch.get().picture).toBeNull();
});

it("says nothing of a case that was left while it looked", async () => {
  const { page, watch } = setUp();
  page.picture = async () => {
    page.shown = { id: 2, picture: "z" };
    return { picture: "q", problem: null };
  };
  await watch.look();
  expect(watch.get().picture).toBeNull();
});
