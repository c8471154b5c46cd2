// Random histories of one key as a correct store would answer them, for tests of the checkers:
// every operation takes effect at one moment between its two times, or, with an unknown outcome, at
// one moment after its start or never. `spoil` makes one answer wrong.
import type { Condition, Kind, Operation, Output } from "./history.ts";
import { step, type Value } from "./register.ts";

export interface SampleOptions {
  readonly operations: number;
  readonly clients: number;
  /** Of the operations, those whose outcome the client never learns. */
  readonly unknownShare?: number;
}

interface Planned {
  readonly operation: Operation;
  readonly effectAt: number;
}

const KINDS: readonly Kind[] = ["put", "get", "delete", "put", "head", "copy", "get", "complete"];

export function sampleHistory(random: () => number, options: SampleOptions): Operation[] {
  const plans: Planned[] = [];
  const ends = Array.from({ length: options.clients }, () => 0);
  for (let count = 0; count < options.operations; count += 1) {
    const client = Math.floor(random() * options.clients);
    const invokedAt = (ends[client] ?? 0) + random() * 5;
    const unknown = random() < (options.unknownShare ?? 0);
    const length = random() * 20;
    ends[client] = invokedAt + length;
    const effectAt = invokedAt + random() * length + (unknown ? random() * 100 : 0);
    const kind = KINDS[Math.floor(random() * KINDS.length)] ?? "get";
    const operation: Operation = {
      client: unknown ? `${client}-${count}` : String(client),
      kind,
      bucket: "b",
      key: "k",
      invokedAt,
      returnedAt: unknown ? Number.POSITIVE_INFINITY : invokedAt + length,
      input: inputOf({ kind, count, random }),
      output: { kind: "unknown", why: "sample" },
    };
    plans.push({ operation, effectAt: unknown && random() < 0.5 ? Infinity : effectAt });
  }
  return answered(plans);
}

/** One read gets another value, or one refused condition is said to have held. */
export function spoil(random: () => number, history: readonly Operation[]): Operation[] {
  const reads = history.filter(
    ({ kind, output }) => (kind === "get" || kind === "head") && output.kind === "ok",
  );
  const victim = reads[Math.floor(random() * reads.length)];
  if (victim === undefined) return [...history];
  const values = [null, ...history.map(({ input }) => input.value ?? null)];
  const value = values[Math.floor(random() * values.length)] ?? null;
  return history.map((operation) =>
    operation === victim ? { ...operation, output: { kind: "ok", value } } : operation,
  );
}

function inputOf(draw: { kind: Kind; count: number; random: () => number }): Operation["input"] {
  const { kind, count, random } = draw;
  if (kind === "get" || kind === "head") return {};
  const conditions: readonly (Condition | undefined)[] = [
    undefined,
    undefined,
    kind === "delete" ? undefined : { kind: "absent" },
    { kind: "value", value: `v${Math.max(0, count - 1 - Math.floor(random() * 4))}` },
  ];
  const condition = conditions[Math.floor(random() * conditions.length)];
  return {
    ...(kind === "delete" ? {} : { value: `v${count}` }),
    ...(condition === undefined ? {} : { condition }),
  };
}

function answered(plans: readonly Planned[]): Operation[] {
  let value: Value = null;
  const answers = new Map<Operation, Output>();
  for (const { operation, effectAt } of plans.toSorted((a, b) => a.effectAt - b.effectAt)) {
    if (effectAt === Infinity) continue;
    const read = operation.kind === "get" || operation.kind === "head";
    const wanted: Output = read ? { kind: "ok", value } : { kind: "ok" };
    const after: Value | undefined = step({ ...operation, output: wanted }, value);
    answers.set(operation, after === undefined ? { kind: "refused" } : wanted);
    if (after !== undefined) value = after;
  }
  return plans.map(({ operation }) => {
    const output = answers.get(operation);
    return output === undefined || operation.returnedAt === Infinity
      ? operation
      : { ...operation, output };
  });
}
