// A small simulated cluster (a gateway, a metadata replica, three storage nodes, a keeper) of which
// any disk operation may be the last before the power of all machines goes. It remembers what its
// client was told, and compares once everything is back.
import assert from "node:assert/strict";
import { type Clients, createClients } from "../../services/cli/compose/clients.ts";
import { isStoreError } from "../../services/lib/base/errors.ts";
import { type ChecksumFactory, loadChecksums } from "../../services/lib/s3/checksums.ts";
import { childText, parseXml } from "../../services/lib/s3/xml-reader.ts";
import { type BodyName, makeBody } from "../sim/cluster/bodies.ts";
import { census } from "../sim/cluster/census.ts";
import { OBSERVER, SimCluster } from "../sim/cluster/cluster.ts";
import type { HttpAnswer } from "../sim/cluster/http-call.ts";
import { Life } from "../sim/cluster/life.ts";
import type { Bug } from "../sim/cluster/planted/bug.ts";
import { plant } from "../sim/cluster/planted/plant.ts";
import type { SimProcess } from "../sim/cluster/process.ts";
import { callS3, type S3Call } from "../sim/cluster/s3-client.ts";
import { Violation } from "../sim/cluster/violation.ts";
import type { CrashMode } from "../sim/disk.ts";
import { type LogLine, recordingLog } from "../sim/observers.ts";
import { createSimRandom } from "../sim/random.ts";

const BUCKET = "crash";
/** Virtual; more than anything here takes. */
const PATIENCE_MS = 120_000;
const PAUSE_MS = 500;

/** What the client was told of a key: values by their bodies' ids; undefined: no object. */
interface Belief {
  sure: string | undefined;
  readonly maybe: Set<string | undefined>;
}

/** One disk operation that changes something, as it is counted on its disk. */
export interface CrashPoint {
  readonly machine: string;
  readonly change: number;
}

export interface WorldOptions {
  readonly seed: number;
  /** Put in on purpose, to see that it is found. */
  readonly planted?: Bug | undefined;
}

export class ClusterWorld {
  readonly cluster: SimCluster;
  readonly lines: LogLine[] = [];
  readonly #observer: Clients;
  readonly #beliefs = new Map<string, Belief>();
  readonly #bodies = new Map<string, BodyName>();
  readonly #damage: string[] = [];
  #writes = 0;
  /** Counts power cuts: a client of before one is gone. */
  #life = 0;
  isCut = false;

  private constructor(options: WorldOptions, checksums: ChecksumFactory) {
    const random = createSimRandom(options.seed);
    this.cluster = new SimCluster({
      random,
      checksums,
      shape: { gateways: 1, metadata: 1, storage: 3, keepers: 1 },
      plants: plant(options.planted),
      settings: SETTINGS,
      onDamage: (what) => this.#damage.push(what),
      lines: this.lines,
    });
    const life = new Life(OBSERVER, this.cluster.clock, () => 0);
    const transport = this.cluster.rpc.createTransport(life);
    const addresses = this.cluster.metadata.map(({ address }) => address);
    const parts = { clock: life.clock, random: random.fork("observer"), log: recordingLog() };
    this.#observer = createClients({ transport, ...parts }, addresses);
  }

  static async make(options: WorldOptions): Promise<ClusterWorld> {
    return new ClusterWorld(options, await loadChecksums());
  }

  get #machines(): readonly SimProcess<unknown>[] {
    return this.cluster.processes;
  }

  /** Runs virtual time until `work` ends or the power is cut. Throws what `work` throws. */
  async drive(what: string, work: () => Promise<void>): Promise<void> {
    const { clock } = this.cluster;
    let end: { readonly error?: unknown } | undefined;
    work().then(
      () => {
        end = {};
      },
      (error: unknown) => {
        end = { error };
      },
    );
    const isOver = (): boolean => end !== undefined || this.isCut;
    await clock.run(clock.monotonicMs() + PATIENCE_MS, isOver);
    if (this.isCut) return;
    if (end === undefined) throw new Error(`${what}: nothing came of it`);
    if ("error" in end) throw end.error;
  }

  /** Changing operations so far, by machine. */
  changes(): Map<string, number> {
    return new Map(this.#machines.map(({ name, disk }) => [name, disk.changeCount]));
  }

  /** The power of all machines goes right after that operation. */
  cutAfter({ machine, change }: CrashPoint, mode: CrashMode): void {
    const struck = this.#machines.find(({ name }) => name === machine);
    assert.ok(struck !== undefined, machine);
    struck.disk.onCrash = () => this.cut(mode);
    struck.disk.crashAfter(change, mode);
  }

  /** The power of all machines goes now. */
  cut(mode: CrashMode): void {
    if (this.isCut) return;
    this.isCut = true;
    this.#life += 1;
    for (const process of this.#machines) process.crash(mode);
  }

  /** Starts all but keepers, and makes the bucket where there is none. */
  async start(): Promise<void> {
    const { metadata, storage, gateways } = this.cluster;
    for (const process of [...metadata, ...storage, ...gateways]) process.start();
    await this.#until({ method: "PUT", target: `/${BUCKET}` }, [200, 409]);
  }

  startKeeper(): void {
    for (const keeper of this.cluster.keepers) keeper.start();
  }

  stopKeeper(): void {
    for (const keeper of this.cluster.keepers) keeper.crash("kill");
  }

  async put(key: string, size: number): Promise<void> {
    const body = this.#body(size);
    await this.#change(key, body.id, { method: "PUT", target: path(key), body: makeBody(body) });
  }

  async delete(key: string): Promise<void> {
    await this.#change(key, undefined, { method: "DELETE", target: path(key) });
  }

  async copy(from: string, to: string): Promise<void> {
    const value = this.#beliefs.get(from)?.sure;
    const headers = [["x-amz-copy-source", path(from)]] as const;
    await this.#change(to, value, { method: "PUT", target: path(to), headers });
  }

  /** An upload of one part. */
  async multipart(key: string, size: number, end: "complete" | "abort"): Promise<void> {
    const body = this.#body(size);
    const begun = await this.#ok({ method: "POST", target: `${path(key)}?uploads` });
    const uploadId = childText(parseXml(begun.body), "UploadId") ?? "";
    const upload = `${path(key)}?uploadId=${uploadId}`;
    const target = `${path(key)}?partNumber=1&uploadId=${uploadId}`;
    const part = await this.#ok({ method: "PUT", target, body: makeBody(body) });
    if (end === "abort") {
      await this.#ok({ method: "DELETE", target: upload });
      return;
    }
    const document =
      "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>" +
      `<ETag>${part.headers.get("etag")}</ETag></Part></CompleteMultipartUpload>`;
    const call = { method: "POST", target: upload, body: Buffer.from(document) };
    await this.#change(key, body.id, call);
  }

  /** Flips a bit in the first shard of the first storage node that has any. */
  rot(): void {
    const isSegment = (name: string): boolean => name.includes("/segments/");
    const holder = this.cluster.storage.find(({ disk }) => disk.filePaths().some(isSegment));
    const { disk } = holder ?? assert.fail("no storage node has a shard");
    const path = disk.filePaths().find(isSegment) ?? assert.fail("no segment");
    // Behind the segment's header and the record's: in the first cell.
    disk.flipBit(path, FIRST_CELL, 1);
  }

  /** Resolves when nothing is missing, nothing waits and nothing is left over. */
  async quiet(): Promise<void> {
    const { clock } = this.cluster;
    const untilMs = clock.monotonicMs() + PATIENCE_MS - 10 * PAUSE_MS;
    for (;;) {
      try {
        await census(this.cluster, this.#observer);
        return;
      } catch (error) {
        if (!(error instanceof Violation) && !isStoreError(error)) throw error;
        if (clock.monotonicMs() > untilMs) throw error;
      }
      await clock.sleep(PAUSE_MS);
    }
  }

  /** After a cut: everything starts again and must be as the client was told. */
  async check(where: string): Promise<void> {
    this.isCut = false;
    await this.drive(`${where}: start`, () => this.start());
    for (const when of ["at once", "when all is quiet"]) {
      await this.drive(`${where}: reads ${when}`, () => this.#compare(`${where}, ${when}`));
      this.startKeeper();
      await this.drive(`${where}: quiet`, () => this.quiet());
    }
    await this.drive(`${where}: a write`, () => this.put("after", 5000));
    assert.deepEqual(this.#damage, [], where);
  }

  async #compare(where: string): Promise<void> {
    for (const [key, belief] of this.#beliefs) {
      const found = await this.#read(key);
      const isAllowed = found === belief.sure || belief.maybe.has(found);
      assert.ok(isAllowed, `${where}: ${key} is ${found}; acknowledged ${belief.sure}`);
      belief.sure = found;
      belief.maybe.clear();
    }
  }

  /** The id of the body that a key holds, every byte compared. */
  async #read(key: string): Promise<string | undefined> {
    const { status, body } = await this.#until({ method: "GET", target: path(key) }, [200, 404]);
    if (status === 404) return undefined;
    const found = [...this.#bodies.values()].find((one) => makeBody(one).equals(body));
    return found?.id ?? `bytes that nobody wrote: ${body.subarray(0, 20).toString()}`;
  }

  #body(size: number): BodyName {
    this.#writes += 1;
    const body = { id: `body-${this.#writes}`, size };
    this.#bodies.set(body.id, body);
    return body;
  }

  async #change(key: string, value: string | undefined, call: S3Call): Promise<void> {
    const belief = this.#beliefs.get(key) ?? { sure: undefined, maybe: new Set() };
    this.#beliefs.set(key, belief);
    belief.maybe.add(value);
    await this.#ok(call);
    belief.sure = value;
    belief.maybe.clear();
  }

  /** Throws unless the answer is a success; "not now" is asked again, as clients do. */
  async #ok(call: S3Call): Promise<HttpAnswer> {
    const answer = await this.#until(call, [...DONE, 400, 403, 404, 409, 412, 500]);
    const what = `${call.method} ${call.target}`;
    assert.ok(DONE.includes(answer.status), `${what}: ${answer.status} ${answer.body.toString()}`);
    return answer;
  }

  /** Asks until the answer is one of these, or the power is cut. */
  async #until(call: S3Call, statuses: readonly number[]): Promise<HttpAnswer> {
    const [gateway] = this.cluster.gateways;
    const life = this.#life;
    for (;;) {
      const answer = await callS3(this.cluster, gateway ?? assert.fail("no gateway"), call);
      if (life !== this.#life) return new Promise<never>(() => undefined);
      if (typeof answer !== "string" && statuses.includes(answer.status)) return answer;
      await this.cluster.clock.sleep(200);
    }
  }
}

const DONE = [200, 204];

const SEGMENT_DATA = 8192;
const FIRST_CELL = SEGMENT_DATA + 200;

function path(key: string): string {
  return `/${BUCKET}/${key}`;
}

const SETTINGS: ConstructorParameters<typeof SimCluster>[0]["settings"] = {
  dataShards: 2,
  parityShards: 1,
  cellBytes: 1024,
  segmentBytes: 64 * 1024,
  inlineBytes: 256,
  indexGroupCount: 1,
  outAfterMs: 60_000,
  keepEntries: 50,
  keeper: {
    leaseMs: 60_000,
    intervalMs: 500,
    garbageDelayMs: 1000,
    orphanGraceMs: 2000,
    orphanQuarantineMs: 500,
    sweepIntervalMs: 1000,
    staleUploadMs: 1000,
    reconcileIntervalMs: 60_000,
    repairRetryMs: 500,
    rebalanceDelayMs: 60_000,
    rebalanceIntervalMs: 60_000,
    verifyIntervalMs: 86_400_000,
  },
};
