// Clients over all gateways that write unique values under a few keys at a time: put, conditional
// put, multipart, copy, delete, get, head, list. Keys are left for new ones before their histories
// get too long to check.
import type { Input } from "../checkers/history.ts";
import { eventually } from "../support/eventually.ts";
import { AttemptClient, type Request } from "./attempt.ts";
import { ACCESS_KEY, SECRET_KEY } from "./chaos-cluster.ts";
import type { Recorder } from "./recorder.ts";
import { type Place, pathOf, Requests, type Write } from "./requests.ts";

export interface WorkloadOptions {
  readonly endpoints: readonly string[];
  readonly clients: number;
  readonly random: () => number;
  readonly recorder: Recorder;
  /** Rest of each client between two operations. */
  readonly pauseMs: number;
}

export const BUCKETS = ["chaos-plain", "chaos-other", "chaos-versions"] as const;
export const VERSIONED = "chaos-versions";
const SOURCES = "chaos-sources";
const KEYS_PER_BUCKET = 2;
const OPERATIONS_PER_KEY = 150;
export const DEADLINE_MS = 15_000;
/** For what has to succeed in the end. */
const PATIENCE_MS = 180_000;
const SIZES = [100, 5000, 17_000, 60_000, 200_000, 700_000];
const PART_BYTES = 5 * 1024 * 1024;

const MIX = [
  ["get", 30],
  ["put", 20],
  ["put-absent", 7],
  ["put-match", 10],
  ["delete", 11],
  ["copy", 6],
  ["complete", 5],
  ["head", 6],
  ["list", 5],
] as const;
type Choice = (typeof MIX)[number][0];

export class Workload {
  readonly #options: WorkloadOptions;
  readonly #clients: readonly AttemptClient[];
  readonly #etags = new Map<string, string>();
  readonly #sources: string[] = [];
  readonly #keys = new Set<string>();
  #running: Promise<void>[] = [];
  #isStopped = false;
  #operations = 0;
  #values = 0;
  #turn = 0;

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.#clients = options.endpoints.map(
      (endpoint) =>
        new AttemptClient({
          endpoint,
          accessKeyId: ACCESS_KEY,
          secret: SECRET_KEY,
          deadlineMs: DEADLINE_MS,
        }),
    );
  }

  get operations(): number {
    return this.#operations;
  }

  /** Makes the buckets and the sources of copies; throws when the cluster does not take them. */
  async prepare(): Promise<void> {
    const status = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    const body = Buffer.from(status);
    for (const bucket of [...BUCKETS, SOURCES]) {
      await this.#untilTaken({ method: "PUT", target: `/${bucket}` });
    }
    await this.#untilTaken({ method: "PUT", target: `/${VERSIONED}?versioning=`, body });
    const requests = this.#requests("sources");
    for (const size of SIZES) {
      const source = await eventually("a source is written", PATIENCE_MS, async () => {
        const value = this.#newValue("source", size);
        const place = { bucket: SOURCES, key: value };
        const output = await requests.put(this.#client(0), this.#plain(place, value));
        return output.kind === "ok" ? value : undefined;
      });
      this.#sources.push(source);
    }
  }

  /** Sends it until it is done; done before (409, when an answer was lost) is done too. */
  async #untilTaken(request: Request): Promise<void> {
    await eventually(`${request.method} ${request.target}`, PATIENCE_MS, async () => {
      const made = await this.#client(0).send(request);
      if (made.kind !== "answer") throw new Error(made.why);
      if (made.status !== 200 && made.status !== 409) throw new Error(made.body.toString());
      return true;
    });
  }

  start(): void {
    this.#running = Array.from({ length: this.#options.clients }, (_, at) => this.#run(at));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  /** Every key that was ever used, read through one gateway after the other: into the history. */
  async readAll(): Promise<void> {
    const requests = this.#requests("census");
    for (const name of this.#keys) {
      const [bucket = "", ...rest] = name.split("/");
      await this.#mustRead(requests, { bucket, key: rest.join("/") });
    }
    for (const bucket of BUCKETS) {
      await eventually(`a listing of ${bucket}`, PATIENCE_MS, async () => {
        const { kind } = await requests.list(this.#nextClient(), bucket, "");
        return kind === "ok" ? true : undefined;
      });
    }
  }

  /** Every version that was acknowledged, by its id. */
  async readVersions(): Promise<number> {
    const { recorder } = this.#options;
    const requests = this.#requests("versions");
    for (const version of recorder.versions) {
      const value = await this.#mustRead(requests, version);
      if (value !== version.value) {
        recorder.problem(`census: version ${JSON.stringify(version)} gives ${value ?? "nothing"}`);
      }
    }
    return recorder.versions.length;
  }

  /** Asks again while there is no answer; one that never comes is a problem of the run. */
  async #mustRead(
    requests: Requests,
    place: Place & { readonly versionId?: string },
  ): Promise<string | null | undefined> {
    try {
      return await eventually(`a read of ${pathOf(place)}`, PATIENCE_MS, async () => {
        const output = await requests.read(this.#nextClient(), "get", place);
        if (output.kind !== "ok") throw new Error(JSON.stringify(output));
        return output.value ?? null;
      });
    } catch (error) {
      const why = error instanceof Error ? `${error.message}: ${String(error.cause)}` : error;
      this.#options.recorder.problem(`census: ${why}`);
      return undefined;
    }
  }

  #nextClient(): AttemptClient {
    this.#turn += 1;
    return this.#client(this.#turn);
  }

  #requests(name: string): Requests {
    return new Requests(name, this.#options.recorder, this.#etags);
  }

  #client(number: number): AttemptClient {
    const client = this.#clients[number % this.#clients.length];
    if (client === undefined) throw new Error("no gateway");
    return client;
  }

  async #run(number: number): Promise<void> {
    const requests = this.#requests(`c${number}`);
    while (!this.#isStopped) {
      this.#operations += 1;
      // A client changes its gateway now and then: what one wrote another has to show.
      const client = this.#client(number + Math.floor(this.#operations / 40));
      const output = await this.#step(requests, client, this.#place());
      const isOut = output === "failed" || output === "unknown";
      await rest(isOut ? 50 + this.#options.pauseMs : this.#options.pauseMs);
    }
  }

  /** Two keys of each bucket are in use at a time. */
  #place(): Place {
    const inUse = BUCKETS.length * KEYS_PER_BUCKET;
    const generation = Math.floor(this.#operations / (inUse * OPERATIONS_PER_KEY));
    const key = `g${generation}/k${this.#draw(KEYS_PER_BUCKET)}`;
    const bucket = BUCKETS[this.#draw(BUCKETS.length)] ?? BUCKETS[0];
    this.#keys.add(`${bucket}/${key}`);
    return { bucket, key };
  }

  async #step(requests: Requests, client: AttemptClient, place: Place): Promise<string> {
    const choice = this.#choose();
    switch (choice) {
      case "get":
      case "head":
        return (await requests.read(client, choice, place)).kind;
      case "delete":
        return (await requests.delete(client, place)).kind;
      case "list": {
        const prefix = place.key.slice(0, place.key.indexOf("/") + 1);
        return (await requests.list(client, place.bucket, prefix)).kind;
      }
      case "copy": {
        const source = this.#sources[this.#draw(this.#sources.length)] ?? "";
        const { body, size } = this.#options.recorder.known(source);
        const value = this.#newValue("copy", size, body);
        const write = { ...place, value, input: { value } };
        return (await requests.copy(client, write, { bucket: SOURCES, key: source })).kind;
      }
      case "complete": {
        const big = this.#draw(6) === 0;
        const value = this.#newValue("parts", big ? PART_BYTES + 70_000 : this.#size());
        return (await requests.multipart(client, this.#plain(place, value), PART_BYTES)).kind;
      }
      case "put":
      case "put-absent":
      case "put-match":
        return (await requests.put(client, this.#writeOf(choice, place))).kind;
    }
  }

  #writeOf(choice: "put" | "put-absent" | "put-match", place: Place): Write {
    const value = this.#newValue("put", this.#size());
    if (choice === "put") return this.#plain(place, value);
    if (choice === "put-absent") {
      return { ...place, value, input: { value, condition: { kind: "absent" } } };
    }
    const latest = this.#latest(place);
    const etag = latest === undefined ? undefined : this.#etags.get(latest);
    if (latest === undefined || etag === undefined) return this.#plain(place, value);
    const input: Input = { value, condition: { kind: "value", value: latest } };
    return { ...place, value, input, matchEtag: etag };
  }

  #plain(place: Place, value: string): Write {
    return { ...place, value, input: { value } };
  }

  /** The value that was last seen or written under a key, as far as anybody here knows. */
  #latest({ bucket, key }: Place): string | undefined {
    const { history } = this.#options.recorder;
    for (let at = history.length - 1; at >= Math.max(0, history.length - 200); at -= 1) {
      const operation = history[at];
      if (operation?.bucket !== bucket || operation.key !== key) continue;
      if (operation.output.kind !== "ok") continue;
      const value = operation.input.value ?? operation.output.value;
      if (typeof value === "string") return value;
    }
    return undefined;
  }

  #newValue(kind: string, size: number, body?: string): string {
    this.#values += 1;
    const value = `${kind}-${this.#values}`;
    this.#options.recorder.values.set(value, { body: body ?? value, size });
    return value;
  }

  #size(): number {
    return SIZES[this.#draw(SIZES.length)] ?? 100;
  }

  #choose(): Choice {
    const total = MIX.reduce((sum, [, weight]) => sum + weight, 0);
    let left = this.#options.random() * total;
    for (const [choice, weight] of MIX) {
      left -= weight;
      if (left < 0) return choice;
    }
    return "get";
  }

  #draw(count: number): number {
    return Math.floor(this.#options.random() * count);
  }
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
