// The metadata service without its network and its Raft: the real state machines of a root and two
// index groups over LevelDB in a temporary folder, asked directly. Commands and queries mean
// exactly what they mean in a cluster.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { present } from "../../services/lib/base/assert.ts";
import { Mutex } from "../../services/lib/base/bounded.ts";
import { StoreError } from "../../services/lib/base/errors.ts";
import type {
  CommandKind,
  ExecuteOptions,
  QueryAnswer,
  QueryCase,
  QueryKind,
} from "../../services/lib/clients/metadata-client.ts";
import { QueryRequestSchema } from "../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import {
  CommandSchema,
  LoggedCommandSchema,
  type Reply,
  ReplySchema,
} from "../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { createKvFactory } from "../../services/lib/host/level-kv.ts";
import { createDisk } from "../../services/lib/host/node-disk.ts";
import { createRandom } from "../../services/lib/host/random.ts";
import { GroupState } from "../../services/metadata/state/group-state.ts";
import { answerQuery } from "../../services/metadata/state/queries/query-table.ts";
import { commandFault } from "../../services/metadata/state/validate.ts";

const GROUPS = [1, 2, 3];
const random = createRandom();

interface Group {
  readonly state: GroupState;
  readonly writes: Mutex;
}

export class StateMetadata {
  readonly #folder: string;
  readonly #groups: ReadonlyMap<number, Group>;
  readonly #nowMs: () => number;

  private constructor(folder: string, groups: ReadonlyMap<number, Group>, nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#folder = folder;
    this.#groups = groups;
  }

  /** `nowMs`: the clock that stamps commands. */
  static async open(nowMs: () => number = Date.now): Promise<StateMetadata> {
    const folder = await mkdtemp(join(tmpdir(), "dolium-s3-"));
    const deps = { disk: createDisk("/"), kvFactory: createKvFactory({ cacheBytes: 1 << 20 }) };
    const groups = new Map<number, Group>();
    for (const groupId of GROUPS) {
      const state = await GroupState.open(deps, join(folder, `group-${groupId}`));
      groups.set(groupId, { state, writes: new Mutex() });
    }
    const metadata = new StateMetadata(folder, groups, nowMs);
    await metadata.execute(1, {
      case: "initCluster",
      value: {
        clusterId: "test",
        policies: [
          {
            name: "standard",
            dataShards: 2,
            parityShards: 1,
            cellBytes: 1024,
            failureDomain: "node",
          },
          {
            name: "mirrored",
            dataShards: 1,
            parityShards: 1,
            cellBytes: 2048,
            failureDomain: "node",
          },
        ],
        defaultPolicy: "standard",
        placementGroupCount: 16,
        indexGroups: GROUPS.slice(1),
      },
    });
    return metadata;
  }

  async execute(groupId: number, kind: CommandKind, options: ExecuteOptions = {}): Promise<Reply> {
    const [reply] = await this.executeAll(groupId, [kind], options);
    return present(reply, "reply");
  }

  /** Applies several commands at once, as a group does with what was committed together. */
  async executeAll(
    groupId: number,
    kinds: readonly CommandKind[],
    { origin }: ExecuteOptions = {},
  ): Promise<Reply[]> {
    const { state, writes } = this.#group(groupId);
    const entries = kinds.map((kind) => {
      const command = create(CommandSchema, origin === undefined ? { kind } : { kind, origin });
      const fault = commandFault(command);
      if (fault !== undefined) throw new StoreError("invalid", fault);
      const logged = create(LoggedCommandSchema, {
        commandId: random.bytes(16),
        nowMs: BigInt(this.#nowMs()),
        random: random.bytes(8),
        command,
      });
      return toBinary(LoggedCommandSchema, logged);
    });
    return writes.run(async () => {
      const first = state.appliedIndex + 1;
      const replies = await state.apply(
        entries.map((data, at) => ({ index: first + at, term: 1, kind: "normal" as const, data })),
      );
      return replies.map((reply) => fromBinary(ReplySchema, present(reply, "reply")));
    });
  }

  async query<C extends QueryCase>(
    groupId: number,
    kind: Extract<QueryKind, { case: C }>,
  ): Promise<QueryAnswer<C>> {
    const { state } = this.#group(groupId);
    const request = create(QueryRequestSchema, { groupId, kind });
    const response = await state.read((view) => answerQuery(view, request.kind));
    if (response.kind.case !== kind.case) throw new Error(`answered ${response.kind.case}`);
    // Checked boundary: the case was compared just above.
    return response.kind.value as QueryAnswer<C>;
  }

  async close(): Promise<void> {
    for (const { state } of this.#groups.values()) await state.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #group(groupId: number): Group {
    return present(this.#groups.get(groupId), `group ${groupId}`);
  }
}
