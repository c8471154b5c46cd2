// The consensus core's boundary: what it refuses and with which error, many groups in one instance,
// bytes that survive memory growth, damage, malformed messages, and the death of a trapped
// instance.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { AssertionFailure } from "../../../services/lib/base/assert.ts";
import { type ErrorCode, isStoreError } from "../../../services/lib/base/errors.ts";
import { ArgumentWriter } from "../../../services/lib/raft/core/codec.ts";
import { CoreInstance } from "../../../services/lib/raft/core/runtime.ts";
import { CORE_BASE64, CORE_SHA256 } from "../../../services/lib/raft/core/wasm.ts";
import {
  compileRaftCore,
  createRaftCore,
  type GroupOptions,
  type RaftCore,
  type RaftEntry,
} from "../../../services/lib/raft/core.ts";
import { members } from "./lab-node.ts";

const module = compileRaftCore();
const newCore = (): RaftCore => createRaftCore({ seed: 5n, module });

function options(changes: Partial<GroupOptions> = {}): GroupOptions {
  return {
    groupId: 1,
    nodeId: 1,
    electionTicks: 10,
    heartbeatTicks: 1,
    hardState: { term: 1, vote: 0, commit: 1 },
    confState: members([1]),
    appliedIndex: 1,
    snapshotIndex: 1,
    snapshotTerm: 1,
    lastIndex: 1,
    ...changes,
  };
}

function entry(index: number, term: number, text = "x"): RaftEntry {
  return { index, term, kind: "normal", data: Buffer.from(text) };
}

function refuses(code: ErrorCode, body: () => unknown, reason = /./): void {
  assert.throws(body, (error: unknown) => isStoreError(error, code) && reason.test(error.message));
}

/** Persists and applies until nothing is left to do; returns the text of what was committed. */
function settle(core: RaftCore, groupId = 1): string[] {
  const committed: string[] = [];
  for (let ready = core.ready(groupId); ready !== undefined; ready = core.ready(groupId)) {
    core.onPersisted(groupId, ready.number);
    for (const { index, data } of ready.committedEntries) {
      committed.push(Buffer.from(data).toString());
      core.onApplied(groupId, index);
    }
  }
  return committed;
}

function lead(changes: Partial<GroupOptions> = {}): RaftCore {
  const core = newCore();
  core.openGroup(options(changes));
  core.campaign(1);
  settle(core);
  return core;
}

test("the embedded module is the built file, by its checksum", () => {
  const folder = new URL("../../../services/lib/raft/core/", import.meta.url);
  const wasm = readFileSync(new URL("raft_core.wasm", folder));
  const sha256 = createHash("sha256").update(wasm).digest("hex");
  assert.equal(CORE_SHA256, sha256);
  assert.equal(CORE_BASE64, wasm.toString("base64"));
  const line = readFileSync(new URL("raft_core.wasm.sha256", folder), "utf8");
  assert.equal(line, `${sha256}  raft_core.wasm\n`);
});

test("a lone voter leads and commits what is proposed", () => {
  const core = lead();
  assert.deepEqual(core.propose(1, [Buffer.from("a"), Buffer.from("b")]), {
    kind: "appended",
    firstIndex: 3,
    term: 2,
  });
  assert.deepEqual(settle(core), ["a", "b"]);
  assert.equal(core.ready(1), undefined);
});

test("one instance hosts groups that do not touch each other", () => {
  const core = newCore();
  for (const groupId of [7, 3, 5]) core.openGroup(options({ groupId }));
  assert.deepEqual(core.groups(), [3, 5, 7]);
  core.campaign(5);
  assert.deepEqual(core.readyGroups(), [5]);
  settle(core, 5);
  assert.deepEqual(core.readyGroups(), []);
  for (let n = 0; n < 20; n += 1) core.tickAll();
  assert.deepEqual(core.readyGroups(), [3, 7]);
  core.closeGroup(7);
  assert.deepEqual(core.groups(), [3, 5]);
  assert.deepEqual(core.readyGroups(), [3]);
  assert.equal(core.status(5).role, "leader");
});

test("refuses a group that is not open, or open already", () => {
  const core = newCore();
  const bytes = Buffer.from("x");
  const calls: (() => unknown)[] = [
    () => core.closeGroup(9),
    () => core.propose(9, [bytes]),
    () => core.proposeMembers(9, { changes: [], context: bytes }),
    () => core.applyMembers(9, bytes),
    () => core.readIndex(9, bytes),
    () => core.step(9, []),
    () => core.tick(9),
    () => core.ready(9),
    () => core.onPersisted(9, 1),
    () => core.onApplied(9, 1),
    () => core.compactTo(9, 1),
    () => core.provideEntries(9, 1, []),
    () => core.offerSnapshot(9, undefined),
    () => core.campaign(9),
    () => core.transferLeader(9, 1),
    () => core.reportUnreachable(9, 1),
    () => core.reportSnapshot(9, 1, true),
    () => core.requestSnapshot(9),
    () => core.setPriority(9, 1),
    () => core.status(9),
  ];
  for (const call of calls) refuses("not-found", call, /group 9 is not open/);
  core.openGroup(options());
  refuses("exists", () => core.openGroup(options()));
});

test("refuses to open what does not fit together", () => {
  const core = newCore();
  const open = (changes: Partial<GroupOptions>) => () => core.openGroup(options(changes));
  const entries = [entry(2, 1), entry(3, 2)];
  const hard = { term: 2, vote: 0, commit: 1 };
  refuses("invalid", open({ heartbeatTicks: 10 }), /election tick/);
  refuses("invalid", open({ confState: members([1, 1]) }), /twice/);
  refuses("invalid", open({ confState: members([1], [1]) }), /learner/);
  refuses("invalid", open({ confState: { ...members([1]), autoLeave: true } }), /autoLeave/);
  refuses("invalid", open({ confState: { ...members([1]), learnersNext: [2] } }), /leave/);
  refuses("invalid", open({ confState: members([], [1]) }), /no voters/);
  refuses("invalid", open({ snapshotTerm: 0 }), /zero together/);
  const zero = { snapshotIndex: 0, snapshotTerm: 0, appliedIndex: 0, lastIndex: 0 };
  refuses("invalid", open({ ...zero, hardState: { ...hard, commit: 0 } }), /from a snapshot/);
  refuses("invalid", open({ lastIndex: 2, entries, hardState: hard }), /lastIndex/);
  refuses("invalid", open({ lastIndex: 4, hardState: hard }), /termRuns do not cover/);
  const hole = [{ firstIndex: 3, term: 1 }];
  refuses("invalid", open({ lastIndex: 4, hardState: hard, termRuns: hole }), /break at index 3/);
  const back = [entry(2, 2), entry(3, 1)];
  refuses("corrupt", open({ lastIndex: 3, entries: back, hardState: hard }), /index 3/);
  refuses("corrupt", open({ lastIndex: 3, entries: [entry(2, 1), entry(4, 1)], hardState: hard }));
  refuses("corrupt", open({ appliedIndex: 2 }), /outside the log/);
  refuses("corrupt", open({ hardState: { ...hard, commit: 2 } }), /before the commit/);
  refuses("corrupt", open({ lastIndex: 3, entries, hardState: { ...hard, term: 1 } }), /term 2/);
  assert.deepEqual(core.groups(), []);
  core.openGroup(options({ lastIndex: 3, entries, hardState: hard }));
});

test("numbers that are no ids or indexes are our mistakes, and change nothing", () => {
  const core = lead();
  for (const bad of [-1, 1.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY]) {
    assert.throws(() => core.status(bad), AssertionFailure);
    assert.throws(() => core.onApplied(1, bad), AssertionFailure);
    assert.throws(() => core.openGroup(options({ groupId: 2, lastIndex: bad })), AssertionFailure);
  }
  assert.throws(() => core.propose(1, []), AssertionFailure);
  assert.throws(() => core.propose(1, [new Uint8Array(0)]), AssertionFailure);
  assert.throws(() => core.transferLeader(1, 0), AssertionFailure);
  assert.equal(core.status(1).role, "leader");
});

test("refuses reports that cannot be true", () => {
  const core = lead();
  refuses("invalid", () => core.onPersisted(1, 99), /not outstanding/);
  refuses("invalid", () => core.onPersisted(1, 1), /not outstanding/);
  refuses("invalid", () => core.onApplied(1, 3), /outside/);
  refuses("invalid", () => core.onApplied(1, 1), /outside/);
  refuses("invalid", () => core.compactTo(1, 3), /beyond applied/);
  core.propose(1, [Buffer.from("a")]);
  const ready = core.ready(1);
  assert.ok(ready !== undefined);
  // Handed out is not yet durable: it is neither committed here nor can it be applied.
  refuses("invalid", () => core.onApplied(1, 3));
  const offer = { index: 3, confState: members([1]), context: new Uint8Array(0) };
  refuses("invalid", () => core.offerSnapshot(1, offer), /beyond the applied/);
  core.onPersisted(1, ready.number);
  assert.deepEqual(settle(core), ["a"]);
  core.compactTo(1, 3);
  assert.equal(core.status(1).firstIndex, 4);
  core.compactTo(1, 2);
  assert.equal(core.status(1).firstIndex, 4);
});

test("a leader takes no more than the bound of uncommitted bytes", () => {
  const core = lead({ bounds: { uncommittedBytesMax: 100, messageBytesMax: 50 } });
  assert.equal(core.propose(1, [Buffer.alloc(80)]).kind, "appended");
  assert.equal(core.propose(1, [Buffer.alloc(30)]).kind, "exhausted");
  assert.equal(core.status(1).uncommittedBytes, 80);
  assert.equal(settle(core).length, 1);
  assert.equal(core.propose(1, [Buffer.alloc(30)]).kind, "appended");
});

test("a tail beyond its bounds is dropped once applied, and fetched entries are checked", () => {
  const tail = { tailEntriesMax: 2 };
  const entries = [entry(2, 1, "a"), entry(3, 1, "b"), entry(4, 2, "c")];
  const core = newCore();
  const termRuns = [
    { firstIndex: 2, term: 1 },
    { firstIndex: 4, term: 2 },
  ];
  const hardState = { term: 2, vote: 0, commit: 4 };
  core.openGroup(options({ lastIndex: 4, termRuns, hardState, bounds: tail }));
  const fetch = core.ready(1)?.entryFetches[0];
  assert.deepEqual(fetch, { ...fetch, firstIndex: 2, lastIndex: 4, purpose: "apply" });
  assert.ok(fetch !== undefined);
  assert.equal(core.ready(1), undefined, "no busy loop while entries are fetched");
  refuses("corrupt", () => core.provideEntries(1, fetch.token, [entry(3, 1)]));
  refuses("corrupt", () => core.provideEntries(1, fetch.token, [entry(2, 2)]));
  refuses("invalid", () => core.provideEntries(1, fetch.token, [...entries, entry(5, 2)]));
  core.provideEntries(1, 77, entries);
  // An empty answer: asked again.
  core.provideEntries(1, fetch.token, []);
  const again = core.ready(1)?.entryFetches[0];
  assert.ok(again !== undefined && again.token !== fetch.token);
  core.provideEntries(1, again.token, entries);
  const committed = core.ready(1)?.committedEntries.map((e) => Buffer.from(e.data).toString());
  assert.deepEqual(committed, ["a", "b", "c"]);
});

test("a membership change that does not fit is refused and has no effect", () => {
  const core = lead();
  refuses("corrupt", () => core.applyMembers(1, Buffer.from([0xff, 0xff])));
  // An empty change leaves a joint state; there is none.
  refuses("invalid", () => core.applyMembers(1, new Uint8Array(0)), /joint/);
  assert.deepEqual(core.status(1).confState, members([1]));
  const result = core.proposeMembers(1, {
    changes: [{ kind: "add-learner", nodeId: 2 }],
    context: Buffer.from("campus east"),
  });
  assert.equal(result.kind, "appended");
  let ready = core.ready(1);
  assert.ok(ready !== undefined);
  core.onPersisted(1, ready.number);
  ready = core.ready(1);
  const change = ready?.committedEntries[0];
  assert.ok(change?.kind === "members");
  const applied = core.applyMembers(1, change.data);
  assert.deepEqual(applied.confState, members([1], [2]));
  assert.deepEqual(applied.changes, [{ kind: "add-learner", nodeId: 2 }]);
  assert.equal(Buffer.from(applied.context).toString(), "campus east");
});

test("results stay good when memory grows after them", () => {
  const core = lead({ bounds: { committedBytesMax: 64 * 1024 * 1024 } });
  core.propose(1, [Buffer.from("kept")]);
  const ready = core.ready(1);
  const before = core.memoryBytes();
  const big = Buffer.alloc(8 * 1024 * 1024, "z");
  core.onPersisted(1, ready?.number ?? 0);
  core.propose(1, [big, big]);
  assert.ok(core.memoryBytes() > before);
  assert.equal(Buffer.from(ready?.entries[0]?.data ?? []).toString(), "kept");
  const next = core.ready(1);
  assert.deepEqual(next?.entries[1]?.data, new Uint8Array(big));
});

test("a trap kills the instance, with its reason, and only that one", () => {
  const instance = new CoreInstance(module, 1n);
  const writer = new ArgumentWriter();
  writer.begin().byte(1);
  // Arguments cut short: the reader inside runs past their end.
  assert.throws(() => instance.call("open_group", 1, 0, writer), /core failed: .*range/);
  assert.throws(() => instance.call("groups", 0), /core is dead: .*range/);
  assert.throws(() => instance.call("groups", 0), AssertionFailure);
  assert.deepEqual(newCore().groups(), []);
});

test("refuses a module that is not the built one", () => {
  assert.throws(() => compileRaftCore(Buffer.from("not wasm")), /WebAssembly/);
});
