// What the keeper's tasks are tested with: the real state machines of the metadata service behind
// the real metadata client, real storage nodes on temporary disks behind the real shard client, all
// over the in-process transport; a clock that can be put forward; web servers in memory.

import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { KeeperDeps } from "../../../services/keeper/deps.ts";
import { present } from "../../../services/lib/base/assert.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { BodyReader } from "../../../services/lib/clients/body-reader.ts";
import { BodyWriter } from "../../../services/lib/clients/body-writer.ts";
import { BucketDirectory } from "../../../services/lib/clients/bucket-directory.ts";
import { ClusterView } from "../../../services/lib/clients/cluster-view.ts";
import { KmsDirectory } from "../../../services/lib/clients/kms-directory.ts";
import { type CommandKind, MetadataClient } from "../../../services/lib/clients/metadata-client.ts";
import { ShardClient } from "../../../services/lib/clients/shard-client.ts";
import { StripePool } from "../../../services/lib/clients/stripe-pool.ts";
import { createErasureCompute } from "../../../services/lib/erasure/compute.ts";
import { ClusterService } from "../../../services/lib/gen/dolium/cluster/v1/cluster_pb.ts";
import {
  MetadataService,
  QueryResponseSchema,
} from "../../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type {
  BucketRecord,
  Versioning,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome, type Reply } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { createClock } from "../../../services/lib/host/clock.ts";
import { createHttpExchanger } from "../../../services/lib/host/http-exchange.ts";
import { createKvFactory } from "../../../services/lib/host/level-kv.ts";
import { createLocalNetwork } from "../../../services/lib/host/local-transport.ts";
import { createDisk } from "../../../services/lib/host/node-disk.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import type { Clock } from "../../../services/lib/ports/clock.ts";
import type { HttpClient, HttpPost } from "../../../services/lib/ports/http.ts";
import type { HttpExchanger } from "../../../services/lib/ports/http-exchange.ts";
import type { RpcServer } from "../../../services/lib/ports/transport.ts";
import { bucketStateOf } from "../../../services/lib/s3/settings/bucket-state.ts";
import { soleClusterKey } from "../../../services/lib/seal/cluster-keys.ts";
import { StorageNode } from "../../../services/storage/storage-node.ts";
import { StateMetadata } from "../../s3/state-metadata.ts";
import { eventually } from "../../support/eventually.ts";
import { CLUSTER_KEY, MemoryLog, MemoryMetrics } from "../gateway/memory-gateway.ts";
import { CONFIG } from "./settings.ts";

const METADATA = "metadata:1";

/** The machine's clock, put forward at will. */
export class ShiftedClock implements Clock {
  readonly #clock = createClock();
  shiftMs = 0;

  wallMs(): number {
    return this.#clock.wallMs() + this.shiftMs;
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs() + this.shiftMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, signal);
  }

  after(ms: number, run: () => void): ReturnType<Clock["after"]> {
    return this.#clock.after(ms, run);
  }
}

/** Called before each command and query; may throw, to play a failure. */
export type Fault = (call: string, groupId: number) => void;

/** Web servers in memory: what was posted, and what each URL answers. */
export class MemoryWeb implements HttpClient {
  readonly posts: { readonly url: string; readonly body: string; headers: HttpPost["headers"] }[] =
    [];
  /** Those of them that were answered with success. */
  readonly taken: { readonly url: string; readonly body: string }[] = [];
  /** A status, or what to throw. */
  answer: (url: string, body: string) => number | StoreError = () => 200;

  async post({ url, body, headers }: HttpPost): Promise<number> {
    const text = Buffer.from(body).toString();
    this.posts.push({ url, body: text, headers });
    const answer = this.answer(url, text);
    if (answer instanceof StoreError) throw answer;
    if (answer >= 200 && answer < 300) this.taken.push({ url, body: text });
    return answer;
  }

  close(): void {
    this.posts.length = 0;
  }
}

export class Rig {
  readonly clock: ShiftedClock;
  readonly log = new MemoryLog();
  readonly metrics = new MemoryMetrics();
  readonly web = new MemoryWeb();
  readonly metadata: MetadataClient;
  readonly view: ClusterView;
  readonly shards: ShardClient;
  readonly deps: KeeperDeps;
  readonly calls: string[] = [];
  fault: Fault = () => undefined;
  /** Called after each command was applied, before its answer leaves. */
  lostAnswer: Fault = () => undefined;
  readonly #state: StateMetadata;
  readonly #network: ReturnType<typeof createLocalNetwork>;
  readonly #random = createRandom();
  readonly #nodes = new Map<string, { node: StorageNode; server: RpcServer }>();
  readonly #folder: string;
  readonly #exchanger: HttpExchanger;

  private constructor(state: StateMetadata, clock: ShiftedClock, folder: string) {
    const { log, metrics, web: http } = this;
    const random = this.#random;
    this.#state = state;
    this.#folder = folder;
    this.clock = clock;
    this.#network = createLocalNetwork({ clock, random, log });
    const transport = this.#network.createTransport();
    const options = { addresses: [METADATA], deadlineMs: 3000 };
    this.metadata = new MetadataClient({ transport, clock, random, log }, options);
    this.view = new ClusterView(this.metadata, clock, log);
    this.shards = new ShardClient(transport);
    const erasure = createErasureCompute();
    const pool = new StripePool(1 << 24);
    const { view, shards, metadata } = this;
    const writer = new BodyWriter({ view, shards, erasure, pool, clock, random, log });
    const buckets = new BucketDirectory(metadata, clock);
    const kms = new KmsDirectory({ metadata, clock, random }, soleClusterKey(CLUSTER_KEY));
    const exchanger = createHttpExchanger();
    this.#exchanger = exchanger;
    const onDamage = (): void => undefined;
    const reader = new BodyReader({ view, shards, erasure, clock, onDamage });
    this.deps = {
      ...{ metadata, kms, view, shards, erasure, writer, reader, buckets, http, exchanger },
      ...{ clock, random, log, metrics, ...CONFIG },
    };
  }

  static async open(context: TestContext, nodes = 0): Promise<Rig> {
    const clock = new ShiftedClock();
    const folder = await mkdtemp(join(tmpdir(), "dolium-keeper-"));
    const state = await StateMetadata.open(() => clock.wallMs());
    const rig = new Rig(state, clock, folder);
    context.after(() => rig.#close());
    await rig.#serveMetadata();
    for (let number = 1; number <= nodes; number += 1) await rig.startNode(`node-${number}`);
    await rig.view.refresh();
    return rig;
  }

  /** Settings changed for one test. */
  with(changes: Partial<KeeperDeps>): KeeperDeps {
    return { ...this.deps, ...changes };
  }

  async #serveMetadata(): Promise<void> {
    const server = this.#network.createServer();
    server.add(MetadataService, {
      execute: async ({ groupId, command }) => {
        const kind = present(command?.kind, "command");
        this.#meet(kind.case ?? "", groupId);
        const reply = await this.#state.execute(groupId, kind as CommandKind);
        this.lostAnswer(kind.case ?? "", groupId);
        return { reply };
      },
      query: async ({ groupId, kind }) => {
        this.#meet(kind.case ?? "", groupId);
        const asked = kind as Parameters<StateMetadata["query"]>[1];
        const value = await this.#state.query(groupId, asked);
        const answer = { case: kind.case, value } as MessageInitShape<
          typeof QueryResponseSchema
        >["kind"];
        return create(QueryResponseSchema, answer === undefined ? {} : { kind: answer });
      },
      replicaStatus: async () => ({}),
      transferLeadership: async () => ({}),
      cutLog: async () => ({}),
      exportGroup: async function* () {
        // Nothing asks for backups here.
      },
    });
    server.add(ClusterService, {
      heartbeat: async () => ({ mapEpoch: 1n, registerAgain: false, wallMs: 0n }),
      clusterStatus: async () => ({}),
    });
    await server.listen(METADATA);
  }

  #meet(call: string, groupId: number): void {
    this.calls.push(call);
    this.fault(call, groupId);
  }

  /** Starts a storage node over its folder, or starts it again. */
  async startNode(name: string, campus = "main"): Promise<void> {
    const { clock, log, metrics, metadata } = this;
    const address = `${name}:1`;
    const server = this.#network.createServer();
    const kvFactory = createKvFactory({ cacheBytes: 1 << 20 });
    const node = new StorageNode(
      { disk: createDisk(), kvFactory, clock, random: this.#random, log, metrics, metadata },
      {
        name,
        address,
        campus,
        rack: "",
        host: name,
        folders: [this.folderOf(name)],
        version: "test",
      },
    );
    node.serve(server);
    await server.listen(address);
    await node.start();
    this.#nodes.set(name, { node, server });
    await eventually(`${name} registers`, 60_000, async () =>
      node.waitingFor === undefined ? true : undefined,
    );
  }

  /** The folder of a node's only disk. */
  folderOf(name: string): string {
    return join(this.#folder, name);
  }

  async stopNode(name: string): Promise<void> {
    const running = present(this.#nodes.get(name), name);
    this.#nodes.delete(name);
    await running.server.close(0);
    await running.node.stop();
  }

  /** A bucket, with settings by name. */
  async bucket(name: string, settings: Record<string, string> = {}): Promise<BucketRecord> {
    const reply = await this.execute(1, {
      case: "createBucket",
      value: {
        name,
        owner: "root",
        region: "us-east-1",
        policy: "standard",
        settings: Object.entries(settings)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([setting, document]) => ({ name: setting, document: utf8(document) })),
      },
    });
    const record = reply.kind.case === "createBucket" ? reply.kind.value.bucket : undefined;
    return present(record, "bucket");
  }

  /** Changes the bucket's record and tells its groups, as the gateway does. */
  async change(
    { name, bucketId }: BucketRecord,
    change: {
      readonly versioning?: Versioning;
      readonly objectLock?: boolean;
      readonly settings?: Readonly<Record<string, string>>;
    },
  ): Promise<BucketRecord> {
    const { settings = {}, ...others } = change;
    const documents = Object.entries(settings).map(([setting, document]) => ({
      name: setting,
      document: utf8(document),
    }));
    const value = { name, bucketId, ...others, settings: documents };
    const reply = await this.execute(1, { case: "changeBucket", value });
    const record = reply.kind.case === "changeBucket" ? reply.kind.value.bucket : undefined;
    const bucket = present(record, "bucket");
    const configure = { bucketId, state: bucketStateOf(bucket) };
    await this.execute(this.groupOf(bucket), { case: "configureBucket", value: configure });
    return bucket;
  }

  /** Executes past the faults; fails the test on any outcome but OK. */
  async execute(groupId: number, kind: CommandKind): Promise<Reply> {
    const reply = await this.#state.execute(groupId, kind);
    if (reply.outcome !== Outcome.OK)
      throw new Error(`${kind.case}: ${reply.outcome} ${reply.message}`);
    return reply;
  }

  /** Asks past the faults. */
  readonly query: StateMetadata["query"] = (groupId, kind) => this.#state.query(groupId, kind);

  groupOf(bucket: BucketRecord): number {
    return present(bucket.ranges[0], "range").groupId;
  }

  /** Puts an inline object. */
  async put(bucket: BucketRecord, key: string, body = "x"): Promise<Reply> {
    const bytes = utf8(body);
    return this.execute(this.groupOf(bucket), {
      case: "putObject",
      value: {
        bucketId: bucket.bucketId,
        key: utf8(key),
        version: {
          size: BigInt(bytes.byteLength),
          etag: "0".repeat(32),
          owner: "root",
          body: { case: "inline", value: bytes },
        },
        event: "ObjectCreated:Put",
      },
    });
  }

  /** Puts an object whose body is on the storage nodes. */
  async putBody(
    bucket: BucketRecord,
    key: string,
    body: Uint8Array,
    placed: { readonly policy: string; readonly followPolicy?: string } = { policy: "standard" },
  ): Promise<void> {
    const { bucketId } = bucket;
    const manifest = await this.deps.writer.write({
      bucketId,
      key: utf8(key),
      ...placed,
      size: body.byteLength,
      source: (async function* () {
        yield body;
      })(),
    });
    await this.execute(this.groupOf(bucket), {
      case: "putObject",
      value: {
        bucketId,
        key: utf8(key),
        manifest,
        version: {
          size: BigInt(body.byteLength),
          etag: createHash("md5").update(body).digest("hex"),
          body: { case: "manifestId", value: manifest.manifestId },
        },
      },
    });
  }

  /** The bytes of the current version; undefined when there is none. */
  async get(bucket: BucketRecord, key: string): Promise<Buffer | undefined> {
    const { bucketId } = bucket;
    const value = { bucketId, key: utf8(key), withBody: true };
    const groupId = this.groupOf(bucket);
    const { version, manifests } = await this.query(groupId, { case: "getObject", value });
    if (version === undefined || version.deleteMarker) return undefined;
    if (version.body.case === "inline") return Buffer.from(version.body.value);
    const { reader } = this.deps;
    const pieces: Uint8Array[] = [];
    const manifest = present(manifests[0], "manifest");
    const lastByte = Number(version.size) - 1;
    const request = { bucketId, manifests: [{ manifest, offset: 0 }], firstByte: 0, lastByte };
    for await (const piece of reader.read(request)) pieces.push(new Uint8Array(piece));
    return Buffer.concat(pieces);
  }

  /** Names of the current objects. */
  async keys(bucket: BucketRecord, prefix = ""): Promise<string[]> {
    const value = { bucketId: bucket.bucketId, prefix: utf8(prefix), limit: 1000 };
    const kind = { case: "listObjects", value } as const;
    const { entries } = await this.query(this.groupOf(bucket), kind);
    return entries.map(({ key }) => Buffer.from(key).toString());
  }

  /** Shards on all disks that answer. */
  async shardCount(): Promise<number> {
    let count = 0;
    for (const node of this.view.map().nodes) {
      for (const { diskId } of node.disks) {
        const disk = this.view.addressOf(diskId);
        if (disk === undefined || !this.#nodes.has(node.name)) continue;
        const page = await this.shards.list(disk, { limit: 1000, begunBeforeMs: 0n });
        count += page.entries.length;
      }
    }
    return count;
  }

  async #close(): Promise<void> {
    this.#exchanger.close();
    for (const name of [...this.#nodes.keys()]) await this.stopNode(name);
    await this.#state.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export const NEVER: AbortSignal = new AbortController().signal;
