// One bucket of 10 thousand, a million and ten million keys in the state of a metadata replica:
// start, memory, disk, pages of a listing at its start, middle and end, point reads, puts and the
// size of a range, by turns in one run:
// `node benchmarks/scale/metadata.ts [--folder F] [KEYS ...]`.
// Without a folder the stores are made in a temporary one and removed; in a folder they stay.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs, promisify } from "node:util";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { QueryRequestSchema } from "../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { GroupState } from "../../services/metadata/state/group-state.ts";
import { answerQuery } from "../../services/metadata/state/queries/query-table.ts";
import { applyPuts, BUCKET_ID, keyOf, loadKeys, openState } from "./bucket-load.ts";
import { median, medianMs, printed, residentMib } from "./timing.ts";

const run = promisify(execFile);
const ROUNDS = 15;
const READS = 200;
const PUTS = 100;
const PAGE = 1000;

type Query = NonNullable<MessageInitShape<typeof QueryRequestSchema>["kind"]>;

async function ask(state: GroupState, kind: Query): Promise<void> {
  const request = create(QueryRequestSchema, { kind });
  const { kind: answer } = await state.read((view) => answerQuery(view, request.kind));
  const isThere = answer.case !== "getObject" || answer.value.version !== undefined;
  const isFull = answer.case !== "listObjects" || answer.value.entries.length === PAGE;
  if (!isThere || !isFull) throw new Error(`${answer.case}: an answer that lacks something`);
}

function page(state: GroupState, after: number): Promise<void> {
  const value = { bucketId: BUCKET_ID, startAfter: keyOf(after), limit: PAGE };
  return ask(state, { case: "listObjects", value });
}

/** A store under measurement, and the figures of each round. */
interface Subject {
  readonly count: number;
  readonly state: GroupState;
  readonly figures: Map<string, number[]>;
  puts: number;
}

async function round(subject: Subject): Promise<void> {
  const { state, count, figures } = subject;
  const note = async (name: string, work: () => Promise<void>): Promise<void> => {
    const values = figures.get(name) ?? [];
    values.push(await medianMs(1, work));
    figures.set(name, values);
  };
  const anywhere = (): number => Math.floor(Math.random() * count);
  await note("page at the start ms", () => page(state, 1));
  await note("in the middle ms", () => page(state, Math.floor(count / 2)));
  await note("at the end ms", () => page(state, count - PAGE - 1));
  await note("page anywhere ms", () => page(state, Math.floor(Math.random() * (count - PAGE - 1))));
  await note(`${READS} reads ms`, async () => {
    for (let at = 0; at < READS; at += 1) {
      const value = { bucketId: BUCKET_ID, key: keyOf(anywhere()), withBody: true };
      await ask(state, { case: "getObject", value });
    }
  });
  await note(`${PUTS} new keys ms`, () => {
    const first = subject.puts;
    subject.puts += PUTS;
    const puts = Array.from({ length: PUTS }, (_, at) => ({
      key: Buffer.concat([keyOf(anywhere()), Buffer.from(`-${first + at}`)]),
      number: state.appliedIndex + at,
    }));
    return applyPuts(state, puts);
  });
  await note("range size and cut ms", () =>
    ask(state, { case: "rangeSize", value: { bucketId: BUCKET_ID } }),
  );
}

/** Start and memory, in a process of its own. */
async function opened(folder: string, count: number): Promise<void> {
  const wall = performance.now();
  let state: GroupState | undefined;
  const cpuMs = await medianMs(1, async () => {
    state = await openState(folder);
  });
  const wallMs = performance.now() - wall;
  const openMib = residentMib();
  if (state === undefined) throw new Error("not open");
  for (let at = 0; at < ROUNDS; at += 1) {
    await page(state, Math.floor(Math.random() * (count - PAGE - 1)));
  }
  printed({ keys: count, "open ms": wallMs, "of them cpu": cpuMs, "MiB open": openMib });
  printed({ keys: count, "MiB after pages": residentMib() });
  await state.close();
}

async function measure(root: string, counts: readonly number[]): Promise<void> {
  for (const count of counts) {
    const folder = join(root, String(count));
    if (!existsSync(folder)) {
      const ms = await medianMs(1, () => loadKeys(folder, count));
      printed({ keys: count, "made in cpu s": ms / 1000 });
    }
    const args = ["--expose-gc", import.meta.filename, "--open", folder, String(count)];
    process.stdout.write((await run(process.execPath, args)).stdout);
    const { stdout } = await run("du", ["-sk", folder]);
    printed({ keys: count, "bytes a key": (Number.parseInt(stdout, 10) * 1024) / count });
  }
  const subjects: Subject[] = [];
  for (const count of counts) {
    const state = await openState(join(root, String(count)));
    subjects.push({ count, state, figures: new Map(), puts: state.appliedIndex });
  }
  for (let at = 0; at < ROUNDS; at += 1) for (const subject of subjects) await round(subject);
  for (const { count, state, figures } of subjects) {
    const medians = [...figures].map(([name, values]) => [name, median(values)] as const);
    printed({ keys: count, ...Object.fromEntries(medians) });
    await state.close();
  }
}

const { values, positionals } = parseArgs({
  options: { folder: { type: "string" }, open: { type: "string" } },
  allowPositionals: true,
});
const counts = positionals.map(Number);
if (values.open !== undefined) await opened(values.open, counts[0] ?? 0);
else {
  const root = values.folder ?? (await mkdtemp(join(tmpdir(), "dolium-scale-")));
  try {
    await measure(root, counts.length > 0 ? counts : [10_000, 1_000_000, 10_000_000]);
  } finally {
    if (values.folder === undefined) await rm(root, { recursive: true, force: true });
  }
}
