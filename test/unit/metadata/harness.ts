// A state machine over a real LevelDB in a temporary folder, driven by hand: commands become log
// entries one by one or in batches, queries see the state between them.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { present } from "../../../services/lib/base/assert.ts";
import {
  QueryRequestSchema,
  type QueryResponse,
} from "../../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { Versioning } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  type CommandSchema,
  LoggedCommandSchema,
  Outcome,
  type Reply,
  ReplySchema,
} from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import type {
  BucketStateSchema,
  OriginSchema,
} from "../../../services/lib/gen/dolium/record/v1/group_pb.ts";
import {
  type Chunk,
  ChunkSchema,
  type Manifest,
  ManifestSchema,
} from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { createKvFactory } from "../../../services/lib/host/level-kv.ts";
import { createDisk } from "../../../services/lib/host/node-disk.ts";
import { GroupState, type StateDeps } from "../../../services/metadata/state/group-state.ts";
import { type Table, tableRange } from "../../../services/metadata/state/keys.ts";
import { answerQuery } from "../../../services/metadata/state/queries/query-table.ts";

export type CommandKind = Extract<
  NonNullable<MessageInitShape<typeof CommandSchema>["kind"]>,
  { case: string; value: unknown }
>;
type QueryKind = Extract<
  NonNullable<MessageInitShape<typeof QueryRequestSchema>["kind"]>,
  { case: string; value: unknown }
>;
type QueryCase = QueryKind["case"];
type QueryAnswer<C extends QueryCase> = Extract<QueryResponse["kind"], { case: C }>["value"];

export const stateDeps: StateDeps = {
  disk: createDisk("/"),
  kvFactory: createKvFactory({ cacheBytes: 1 << 20, verifyOnOpen: true }),
};

/**
 * Removed after the test, once `stop` has let go of it (hooks run in the order they were added).
 */
export async function temporaryFolder(
  context: TestContext,
  stop: () => Promise<void> = async () => undefined,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "dolium-metadata-"));
  context.after(async () => {
    await stop();
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

/** 16 bytes that differ for each `number` (and `tag`). */
export function idOf(number: number, tag = 0): Uint8Array {
  const id = Buffer.alloc(16);
  id.writeUInt32BE(tag, 8);
  id.writeUInt32BE(number, 12);
  return id;
}

/** A manifest id begun at `ms`. */
export function manifestId(ms: number, number: number): Uint8Array {
  const id = Buffer.from(idOf(number, 7));
  id.writeUIntBE(ms, 0, 6);
  return id;
}

export function key(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

export interface ManifestSpec {
  readonly key: Uint8Array;
  readonly id: Uint8Array;
  readonly size?: number;
  /** Places of each chunk; default one chunk on disks 1..3 (2+1). */
  readonly places?: readonly (readonly number[])[];
  readonly relaxed?: boolean;
}

export function manifestOf(spec: ManifestSpec): Manifest {
  const places = spec.places ?? [[1, 2, 3]];
  const size = spec.size ?? places.length * 1000;
  const chunks = places.map((diskIds, index): Chunk => {
    const chunkId = Buffer.from(spec.id);
    chunkId[6] = 0xcc;
    chunkId[7] = index;
    const share = Math.floor(size / places.length);
    const rest = index === 0 ? size - share * places.length : 0;
    return create(ChunkSchema, {
      chunkId,
      size: share + rest,
      diskIds: [...diskIds],
      relaxed: spec.relaxed ?? false,
    });
  });
  return create(ManifestSchema, {
    manifestId: spec.id,
    policy: "standard",
    dataShards: 2,
    parityShards: (places[0]?.length ?? 3) - 2,
    cellBytes: 1024,
    size: BigInt(size),
    chunks: size === 0 ? [] : chunks,
    key: spec.key,
  });
}

/** With a `folder` of the caller's, closing is the caller's too. */
export class Machine {
  state: GroupState;
  nowMs = 1_700_000_000_000;
  /** Who causes the commands from now on. */
  origin: MessageInitShape<typeof OriginSchema> | undefined;
  #commands = 0;
  #revision = 0n;
  readonly #versioning = new Map<number, Versioning>();

  constructor(state: GroupState) {
    this.state = state;
  }

  static async open(context: TestContext, folder?: string): Promise<Machine> {
    let machine: Machine | undefined;
    const stop = async (): Promise<void> => machine?.state.close();
    const path = folder ?? join(await temporaryFolder(context, stop), "group");
    machine = new Machine(await GroupState.open(stateDeps, path));
    return machine;
  }

  entry(kind: CommandKind, commandId?: Uint8Array): Uint8Array {
    this.#commands += 1;
    return toBinary(
      LoggedCommandSchema,
      create(LoggedCommandSchema, {
        commandId: commandId ?? idOf(this.#commands, 99),
        nowMs: BigInt(this.nowMs),
        random: Buffer.alloc(8, this.#commands),
        command: { kind, ...(this.origin === undefined ? {} : { origin: this.origin }) },
      }),
    );
  }

  async applyData(datas: readonly Uint8Array[]): Promise<Reply[]> {
    const first = this.state.appliedIndex + 1;
    const entries = datas.map((data, at) => ({
      index: first + at,
      term: 1,
      kind: "normal" as const,
      data,
    }));
    const replies = await this.state.apply(entries);
    return replies.map((reply) => fromBinary(ReplySchema, reply));
  }

  /** Tells the group what a bucket is like now; the first bucket unless another is named. */
  async configure(state: MessageInitShape<typeof BucketStateSchema>, bucketId = 1): Promise<void> {
    this.#revision += 1n;
    const value = { bucketId, state: { ...state, revision: this.#revision } };
    const [reply] = await this.applyData([this.entry({ case: "configureBucket", value })]);
    if (reply?.outcome !== Outcome.OK) throw new Error(`configure: ${reply?.message}`);
  }

  /** Sets the versioning of a bucket, if it is not that already. */
  async setVersioning(versioning: Versioning, bucketId = 1): Promise<void> {
    if ((this.#versioning.get(bucketId) ?? Versioning.OFF) === versioning) return;
    this.#versioning.set(bucketId, versioning);
    await this.configure({ versioning }, bucketId);
  }

  /** Applies one command, a millisecond after the one before. */
  async execute(kind: CommandKind, commandId?: Uint8Array): Promise<Reply> {
    this.nowMs += 1;
    const [reply] = await this.applyData([this.entry(kind, commandId)]);
    return present(reply, "reply");
  }

  async query<C extends QueryCase>(kind: Extract<QueryKind, { case: C }>): Promise<QueryAnswer<C>> {
    const asked: QueryKind = kind;
    const request = create(QueryRequestSchema, { kind: asked });
    const response = await this.state.read((view) => answerQuery(view, request.kind));
    const answer: { readonly case?: string | undefined; readonly value?: unknown } = response.kind;
    if (answer.case !== asked.case) throw new Error(`answered ${answer.case}`);
    // Checked boundary: the case was compared just above.
    return answer.value as QueryAnswer<C>;
  }

  /** How many records a table holds. */
  async recordsOf(table: Table): Promise<number> {
    const found = await this.state.read((view) => view.scan(tableRange(table), 100_000));
    return found.length;
  }

  /** Fails when a value or the digest is not what it should be. */
  async audit(): Promise<void> {
    await this.state.audit(async () => undefined);
  }
}
