import { describe, expect, it } from "vitest";

import { BoxMask } from "../../engine/masks/mask";
import { ApiError, RevisionConflict } from "../errors";
import contract from "../operations.contract.json";
import type { ObjectState, Operation } from "../types";
import { FakeServer } from "./fake_server.testing";

const CASE = { id: 7, width: 60, height: 40 };

interface Step {
  append?: string[];
  match?: number;
  since?: number;
  propose?: string[];
  read?: true;
  wants: {
    status: number;
    revision?: number;
    stored?: number;
    operations?: string[];
    objects?: object[];
    case?: string;
    missing?: string[];
  };
}

function operation(name: string): Operation {
  const { mask, ...rest } = (contract.operations as Record<string, Record<string, unknown>>)[name]!;
  const [x, y, width, height] = (mask ?? [0, 0, 0, 0]) as [number, number, number, number];
  const drawn = mask ? { mask: new BoxMask(x, y, width, height, new Uint8Array(width * height).fill(1)) } : {};
  return { id: name, time: 1, ...rest, ...drawn } as Operation;
}

function sorted(objects: readonly ObjectState[]): ObjectState[] {
  return [...objects].sort((a, b) => a.id.localeCompare(b.id));
}

/** What the server answers, in the words of the contract. */
async function play(server: FakeServer, id: number, step: Step): Promise<Record<string, unknown>> {
  const ids = (operations: readonly Operation[]) => operations.map((one) => one.id);
  try {
    if (step.append) return { status: 200, ...(await server.append(id, step.match!, step.append.map(operation))) };
    if (step.propose) return { status: 200, ...server.propose(step.propose.map(operation)) };
    if (step.read) {
      const { status, missing } = server.fields;
      return { status: 200, revision: server.log.length, case: status, missing, objects: sorted(server.objects()) };
    }
    const { revision, operations } = await server.operationsSince(id, step.since!);
    return { status: 200, revision, operations: ids(operations) };
  } catch (error) {
    if (error instanceof ApiError) return { status: error.status };
    if (!(error instanceof RevisionConflict)) throw error;
    const { revision, operations, objects } = error.reply;
    return {
      status: 409,
      revision,
      operations: ids(operations),
      objects: sorted(objects),
    };
  }
}

describe("the fake server keeps the contract of the real one", () => {
  for (const { name, steps, log, unknown } of contract.scripts as {
    name: string;
    steps: Step[];
    log?: string[];
    unknown?: boolean;
  }[]) {
    it(name, async () => {
      const server = new FakeServer(CASE);
      for (const step of steps) expect(await play(server, unknown ? 99 : CASE.id, step)).toMatchObject(step.wants);
      expect(server.log.map((one) => one.id)).toEqual(log ?? []);
    });
  }
});
