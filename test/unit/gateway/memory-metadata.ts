// The metadata service as the gateway sees it, in memory: commands and queries over maps, applied
// at once, following the comments of proto/dolium. For tests of the gateway alone; the real one has
// its own.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { StoreError } from "../../../services/lib/base/errors.ts";
import type {
  CommandKind,
  QueryAnswer,
  QueryCase,
  QueryKind,
} from "../../../services/lib/clients/metadata-client.ts";
import {
  QueryRequestSchema,
  type QueryResponse,
  QueryResponseSchema,
} from "../../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import {
  type BucketRecord,
  BucketRecordSchema,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  CommandSchema,
  type CreateBucket,
  Outcome,
  type Reply,
  ReplySchema,
} from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { MemoryGroup } from "./memory-group.ts";

const ROOT = 1;
const FIRST_INDEX = 2;

type Answer = NonNullable<MessageInitShape<typeof QueryResponseSchema>["kind"]>;

/** Called before each call; may throw, to play a failure. */
export type Fault = (call: string, groupId: number) => void;

export class MemoryMetadata {
  readonly buckets = new Map<string, BucketRecord>();
  readonly calls: string[] = [];
  fault: Fault = () => undefined;
  #nextBucketId = 1;
  readonly #groups = new Map<number, MemoryGroup>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  group(groupId: number): MemoryGroup {
    let group = this.#groups.get(groupId);
    if (group === undefined) {
      group = new MemoryGroup(this.#nowMs);
      this.#groups.set(groupId, group);
    }
    return group;
  }

  async execute(groupId: number, kind: CommandKind): Promise<Reply> {
    this.calls.push(kind.case);
    this.fault(kind.case, groupId);
    const command = create(CommandSchema, { kind }).kind;
    if (groupId !== ROOT) return this.group(groupId).apply(command);
    switch (command.case) {
      case "createBucket":
        return this.#createBucket(command.value);
      case "removeBucket": {
        const bucket = this.buckets.get(command.value.name);
        const isThere = bucket?.bucketId === command.value.bucketId;
        if (isThere) this.buckets.delete(command.value.name);
        return create(ReplySchema, { outcome: isThere ? Outcome.OK : Outcome.NO_SUCH_BUCKET });
      }
      default:
        throw new StoreError("invalid", `no root command: ${command.case}`);
    }
  }

  async query<C extends QueryCase>(
    groupId: number,
    kind: Extract<QueryKind, { case: C }>,
  ): Promise<QueryAnswer<C>> {
    this.calls.push(kind.case);
    this.fault(kind.case, groupId);
    const request = create(QueryRequestSchema, { groupId, kind });
    const answer =
      groupId === ROOT ? this.#askRoot(request.kind) : this.group(groupId).ask(request.kind);
    const response: QueryResponse = create(QueryResponseSchema, { kind: answer });
    // Checked boundary: every branch answers in its own case.
    return response.kind.value as QueryAnswer<C>;
  }

  #createBucket({ name, owner, region, policy, settings }: CreateBucket): Reply {
    const existing = this.buckets.get(name);
    if (existing !== undefined) {
      const kind = { case: "createBucket", value: { bucket: existing } } as const;
      return create(ReplySchema, { outcome: Outcome.EXISTS, kind });
    }
    const bucket = create(BucketRecordSchema, {
      bucketId: this.#nextBucketId,
      name,
      owner,
      region,
      policy,
      settings,
      createdMs: BigInt(this.#nowMs()),
      ranges: [{ groupId: FIRST_INDEX, epoch: 1n }],
      revision: 1n,
    });
    this.#nextBucketId += 1;
    this.buckets.set(name, bucket);
    const kind = { case: "createBucket", value: { bucket } } as const;
    return create(ReplySchema, { outcome: Outcome.OK, kind });
  }

  #askRoot(kind: { case: string | undefined; value?: unknown }): Answer {
    const request = kind as Extract<QueryKind, { case: "getBucket" | "listBuckets" }>;
    if (request.case === "getBucket") {
      const bucket = this.buckets.get(request.value.name ?? "");
      return { case: "getBucket", value: bucket === undefined ? {} : { bucket } };
    }
    const { owner = "", afterName = "", prefix = "", limit = 0 } = request.value;
    const all = [...this.buckets.values()]
      .filter((one) => owner === "" || one.owner === owner)
      .filter((one) => one.name > afterName && one.name.startsWith(prefix))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const buckets = all.slice(0, limit);
    return { case: "listBuckets", value: { buckets, truncated: all.length > limit } };
  }
}

/** Splits a bucket's range at `key`: what is at or after it lives in `groupId`. */
export function splitBucket(
  metadata: MemoryMetadata,
  name: string,
  { key, groupId }: { readonly key: Uint8Array; readonly groupId: number },
): void {
  const bucket = metadata.buckets.get(name);
  if (bucket === undefined) throw new Error(`no bucket ${name}`);
  const empty = new Uint8Array(0);
  const ranges = [
    { start: empty, end: key, groupId: FIRST_INDEX, epoch: 2n },
    { start: key, end: empty, groupId, epoch: 2n },
  ];
  const { $typeName: _, ...fields } = bucket;
  metadata.buckets.set(name, create(BucketRecordSchema, { ...fields, ranges, revision: 2n }));
}
