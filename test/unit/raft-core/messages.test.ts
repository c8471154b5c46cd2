// Messages as a peer, a stranger or a broken link may send them: malformed ones are refused,
// others' ignored, contradictions with what was acknowledged reported as damage. None may trap the
// instance, which would stop every group of the process.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import {
  compileRaftCore,
  createRaftCore,
  type RaftCore,
  type RaftEntry,
} from "../../../services/lib/raft/core.ts";
import { members } from "./lab-node.ts";

const module = compileRaftCore();

/** Numbers of eraftpb.MessageType. */
const KIND = {
  propose: 2,
  append: 3,
  appendResponse: 4,
  vote: 5,
  snapshot: 7,
  heartbeat: 8,
  heartbeatResponse: 9,
  transferLeader: 13,
  timeoutNow: 14,
  readIndex: 15,
} as const;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return [...bytes, Number(rest)];
}

type Fields = Readonly<Record<number, number | Uint8Array | readonly Uint8Array[]>>;

/** Protocol buffers by hand: field number to integer, bytes or repeated bytes. */
function encode(fields: Fields): Uint8Array {
  const bytes: number[] = [];
  for (const [key, value] of Object.entries(fields)) {
    const number = Number(key);
    if (typeof value === "number") bytes.push(...varint(number * 8), ...varint(value));
    else
      for (const item of value instanceof Uint8Array ? [value] : value)
        bytes.push(...varint(number * 8 + 2), ...varint(item.byteLength), ...item);
  }
  return Uint8Array.from(bytes);
}

function message(kind: number, fields: Fields = {}): Uint8Array {
  return encode({ 1: kind, 2: 1, 3: 2, 4: 3, ...fields });
}

function encodedEntry(index: number, term: number): Uint8Array {
  return encode({ 2: term, 3: index, 4: Buffer.from("x") });
}

/** Node 1 of three, at term 3, with entries 2..5 of which 2..4 are committed and applied. */
function follower(): RaftCore {
  const core = createRaftCore({ seed: 9n, module });
  const entries: RaftEntry[] = [2, 3, 4, 5].map((index) => ({
    index,
    term: 2,
    kind: "normal",
    data: Buffer.from("x"),
  }));
  core.openGroup({
    groupId: 1,
    nodeId: 1,
    electionTicks: 10,
    heartbeatTicks: 1,
    hardState: { term: 3, vote: 0, commit: 4 },
    confState: members([1, 2, 3]),
    appliedIndex: 4,
    snapshotIndex: 1,
    snapshotTerm: 1,
    lastIndex: 5,
    entries,
  });
  return core;
}

function leader(): RaftCore {
  const core = follower();
  core.campaign(1);
  for (const kind of [18, 6]) {
    const ready = core.ready(1);
    assert.ok(ready !== undefined);
    core.onPersisted(1, ready.number);
    core.step(1, [message(kind, { 4: 4 })]);
  }
  assert.equal(core.status(1).role, "leader");
  return core;
}

function refused(core: RaftCore, bytes: Uint8Array, reason: RegExp): void {
  assert.throws(
    () => core.step(1, [bytes]),
    (error: unknown) => isStoreError(error, "corrupt") && reason.test(error.message),
  );
}

test("refuses malformed messages, and takes none of their batch", () => {
  const core = follower();
  const entries = [encodedEntry(7, 3)];
  refused(core, Buffer.from([0xff]), /decoded/);
  refused(core, message(77), /decoded/);
  refused(core, message(KIND.heartbeat, { 3: 0 }), /sender/);
  refused(core, message(KIND.heartbeat, { 2: 0 }), /receiver/);
  refused(core, message(KIND.vote, { 4: 0 }), /term 0/);
  refused(core, message(KIND.readIndex), /term 3/);
  refused(core, message(KIND.readIndex, { 4: 0 }), /context/);
  refused(core, message(KIND.heartbeat, { 8: 2 ** 53 }), /out of range/);
  refused(core, message(KIND.append, { 6: 5, 5: 2, 7: entries }), /index 6/);
  refused(core, message(KIND.append, { 6: 6, 7: entries }), /after 6 of term 0/);
  refused(core, message(KIND.append, { 6: 6, 5: 2, 7: [encodedEntry(7, 4)] }), /index 7/);
  refused(core, message(KIND.append, { 6: 6, 5: 3, 7: [encodedEntry(7, 2)] }), /index 7/);
  refused(core, message(KIND.snapshot), /index or term/);
  const confState = encode({ 1: 1, 2: 1 });
  const metadata = encode({ 1: confState, 2: 9, 3: 3 });
  refused(core, message(KIND.snapshot, { 9: encode({ 2: metadata }) }), /membership/);
  const good = message(KIND.heartbeat, { 4: 4 });
  assert.throws(() => core.step(1, [good, Buffer.from([0xff])]));
  assert.equal(core.status(1).term, 3);
});

test("ignores what is for others, from itself, from strangers, or no business of peers", () => {
  const core = follower();
  const bytes = [
    message(KIND.heartbeat, { 2: 5 }),
    message(KIND.heartbeat, { 3: 1 }),
    message(KIND.heartbeatResponse, { 3: 9 }),
    message(KIND.propose, { 4: 0, 7: [encodedEntry(0, 0)] }),
    message(KIND.transferLeader),
    message(KIND.readIndex, { 4: 0, 7: [encodedEntry(0, 0)] }),
    // Kinds that only arise inside a replica.
    message(0),
    message(12),
  ];
  assert.deepEqual(core.step(1, bytes), { stepped: 0, ignored: bytes.length, damage: undefined });
});

test("reports damage when a leader contradicts what is committed here", () => {
  const previous = follower().step(1, [message(KIND.append, { 6: 3, 5: 1 })]);
  assert.match(previous.damage ?? "", /another committed entry 3/);
  const entries = [encodedEntry(4, 3)];
  const inside = follower().step(1, [message(KIND.append, { 6: 3, 5: 2, 7: entries })]);
  assert.match(inside.damage ?? "", /another committed entry 4/);
  const beyond = follower().step(1, [message(KIND.heartbeat, { 8: 6 })]);
  assert.match(beyond.damage ?? "", /up to 6, the log ends at 5/);
  // The uncommitted entry 5 may be replaced.
  const tail = follower().step(1, [message(KIND.append, { 6: 4, 5: 2, 7: [encodedEntry(5, 3)] })]);
  assert.deepEqual(tail, { stepped: 1, ignored: 0, damage: undefined });
  // An old leader's contradiction proves nothing.
  const old = follower().step(1, [message(KIND.append, { 4: 2, 6: 3, 5: 1 })]);
  assert.equal(old.damage, undefined);
});

test("a leader reports damage when a peer holds more of its log than itself", () => {
  const result = leader().step(1, [message(KIND.appendResponse, { 4: 4, 6: 99 })]);
  assert.match(result.damage ?? "", /acknowledged entry 99, the log ends at 6/);
});

test("reads the head of a message", () => {
  const core = follower();
  const head = core.inspect(message(KIND.append, { 5: 2, 6: 5, 8: 4, 7: [encodedEntry(6, 3)] }));
  assert.deepEqual(head, {
    kind: "append",
    from: 2,
    to: 1,
    term: 3,
    logTerm: 2,
    index: 5,
    commit: 4,
    reject: false,
    entryCount: 1,
  });
  assert.throws(() => core.inspect(Buffer.from([0xff])), /decoded/);
});

const small = fc.integer({ min: 0, max: 8 });
const anyMessage = fc
  .record({
    kind: fc.integer({ min: 0, max: 19 }),
    head: fc.record({ 2: fc.constantFrom(1, 1, 1, 2), 3: fc.constantFrom(2, 3, 4, 1), 4: small }),
    rest: fc.record({ 5: small, 6: small, 8: small, 10: fc.constantFrom(0, 1), 11: small }),
    more: fc.record({ 13: small, 15: small, 12: fc.uint8Array({ maxLength: 3 }) }),
    entries: fc.array(fc.tuple(small, small), { maxLength: 3 }),
    snapshot: fc.tuple(small, small, fc.subarray([1, 2, 3, 4])),
  })
  .map(({ kind, head, rest, more, entries, snapshot: [index, term, voters] }) => {
    const confState = Uint8Array.from(voters.flatMap((id) => [8, id]));
    const metadata = encode({ 1: confState, 2: index, 3: term });
    const list = entries.map(([at, of]) => encodedEntry(at, of));
    // Half of the appends are well formed behind their index, so that they get further.
    const fitting = list.map((_, n) => encodedEntry(rest[6] + 1 + n, Math.max(rest[5], 1)));
    const chosen = index % 2 === 0 ? fitting : list;
    return encode({ 1: kind, ...head, ...rest, ...more, 7: chosen, 9: encode({ 2: metadata }) });
  });

test("no message traps: fields at random, and bytes of real messages damaged", () => {
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.array(fc.tuple(anyMessage, fc.option(fc.tuple(fc.nat(), fc.nat(255)))), { maxLength: 12 }),
      (leads, messages) => {
        const core = leads ? leader() : follower();
        for (const [bytes, damage] of messages) {
          if (damage !== null) bytes[damage[0] % bytes.byteLength] = damage[1];
          try {
            core.step(1, [bytes]);
          } catch (error) {
            if (!isStoreError(error, "corrupt")) throw error;
          }
          core.tick(1);
          const ready = core.ready(1);
          if (ready !== undefined) core.onPersisted(1, ready.number);
        }
        assert.ok(core.status(1).lastIndex >= 1);
      },
    ),
    { numRuns: Number(process.env.RAFT_FUZZ ?? "400") },
  );
});
