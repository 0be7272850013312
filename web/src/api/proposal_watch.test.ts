import { expect, it, vi } from "vitest";

import { ProposalWatch } from "./proposal_watch";

it("pulls once, as soon as the case's proposals are made", async () => {
  const answers = [[7, 8], [7], [8]];
  const progress = vi.fn(async () => ({ proposing: answers.shift() ?? [] }));
  const steps: string[] = [];
  const pull = async () => void steps.push("pull");
  const watch = new ProposalWatch({ progress, pull }, () => steps.push("over"), 1);
  await watch.start(7);
  expect(progress).toHaveBeenCalledTimes(3);
  expect(steps).toEqual(["pull", "over"]);
});

it("waits on while the server does not answer", async () => {
  const progress = vi
    .fn<() => Promise<{ proposing: number[] }>>()
    .mockRejectedValueOnce(new Error("offline"))
    .mockResolvedValue({ proposing: [] });
  const over = vi.fn();
  await new ProposalWatch({ progress, pull: () => Promise.reject(new Error("offline")) }, over, 1).start(7);
  expect(progress).toHaveBeenCalledTimes(2);
  expect(over).toHaveBeenCalledTimes(1);
});

it("ends with the case that it is about", async () => {
  const over = vi.fn();
  const progress = vi.fn(async () => ({ proposing: [7] }));
  const watch = new ProposalWatch({ progress, pull: async () => undefined }, over, 1);
  const first = watch.start(7);
  await watch.start(8);
  await first;
  expect(over).toHaveBeenCalledTimes(1);
  const again = watch.start(7);
  watch.stop();
  await again;
  expect(over).toHaveBeenCalledTimes(1);
});
