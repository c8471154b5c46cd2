// Clients that write, overwrite, copy, assemble, delete and read, each over keys of its own, and
// enter in the ledger what they were told. They end when told to or when the server is gone; a read
// that contradicts the ledger, and an answer nobody can explain, is kept as a violation.
import { createHash } from "node:crypto";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import { type Answer, Caller, pathOf, type Target, textAt, toAnswer } from "../s3/caller.ts";
import { RawConnection } from "../s3/raw-http.ts";
import { seededBytes } from "../support/seeded-bytes.ts";
import type { Ledger, Value } from "./ledger.ts";

export const PLAIN = "plain";
export const VERSIONED = "versioned";

const CLIENTS = 8;
const KEYS_EACH = 12;
const VERSIONED_KEYS_EACH = 3;
const VERSIONS_KEPT = 5;
/** Inline bodies, one cell, several cells, several chunks of work; most are small. */
const SIZES = [0, 200, 3000, 16_384, 16_385, 60_000, 60_000, 200_000, 900_000];

const NO_ANSWER = "the connection ended: no answer";

export interface LoadOptions {
  readonly target: Target;
  readonly ledger: Ledger;
  readonly random: () => number;
  /** Differs from one load to the next: bodies are never the same twice. */
  readonly name: string;
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export class Load {
  readonly violations: string[] = [];
  readonly #options: LoadOptions;
  readonly #caller: Caller;
  readonly #lanes: Promise<void>[];
  readonly #open = new Set<RawConnection>();
  #isStopped = false;
  #bodies = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#caller = new Caller(options.target);
    this.#lanes = Array.from({ length: CLIENTS }, (_, lane) => this.#lane(lane));
  }

  /** Breaks the connections of what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const connection of this.#open) connection.close();
    await Promise.all(this.#lanes);
  }

  async #lane(lane: number): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.#step(lane);
      } catch (error) {
        // The server is gone, or going: what was under way stays unknown.
        if (!isConnectionEnd(error)) throw error;
        this.#options.ledger.unknown += 1;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }

  async #step(lane: number): Promise<void> {
    const kind = this.#options.random();
    if (kind < 0.4) return this.#put(this.#key(lane));
    if (kind < 0.5) return this.#read(this.#key(lane));
    if (kind < 0.62) return this.#delete(this.#key(lane));
    if (kind < 0.7) return this.#assemble(this.#key(lane));
    if (kind < 0.8) return this.#copy(this.#key(lane), this.#key(lane));
    return this.#version(`v-${lane}-${this.#below(VERSIONED_KEYS_EACH)}`);
  }

  #below(bound: number): number {
    return Math.floor(this.#options.random() * bound);
  }

  #key(lane: number): string {
    return `k-${lane}-${this.#below(KEYS_EACH)}`;
  }

  #body(): Buffer {
    const size = SIZES[this.#below(SIZES.length)] ?? 0;
    this.#bodies += 1;
    return seededBytes(`${this.#options.name}/${this.#bodies}`, size);
  }

  /** Writes `value` by `send`; enters what came of it. */
  async #write(key: string, value: Value, send: () => Promise<Answer>): Promise<void> {
    const { ledger } = this.#options;
    // After an unknown outcome only the check after the cut makes the key usable again.
    if (!ledger.isKnown(key)) return;
    ledger.begin(key, value);
    if (this.#isGood(await send(), `write of ${key}`)) ledger.acknowledge(key, value);
  }

  /** True: acknowledged. False: the outcome is unknown. Anything else is a violation. */
  #isGood(answer: Answer, what: string): boolean {
    const { status, code, text } = answer;
    if (status >= 200 && status < 300 && code === undefined) return true;
    if (status >= 500 || code === "InternalError") this.#options.ledger.unknown += 1;
    else this.violations.push(`${what}: ${status} ${text.slice(0, 300)}`);
    return false;
  }

  async #call(
    method: string,
    target: string,
    body?: Uint8Array,
    headers: readonly HeaderField[] = [],
  ): Promise<Answer> {
    const call = { method, target, headers, ...(body === undefined ? {} : { body }) };
    const bytes = this.#caller.requestBytes(call);
    const connection = await RawConnection.open(this.#caller.target.endpoint);
    this.#open.add(connection);
    try {
      if (this.#isStopped) throw new Error(NO_ANSWER);
      connection.write(bytes);
      const response = await connection.response();
      if (response === undefined) throw new Error(NO_ANSWER);
      return toAnswer(response);
    } finally {
      this.#open.delete(connection);
      connection.close();
    }
  }

  #put(key: string): Promise<void> {
    const body = this.#body();
    const send = () => this.#call("PUT", pathOf(PLAIN, key), body);
    return this.#write(key, sha256(body), send);
  }

  #delete(key: string): Promise<void> {
    return this.#write(key, undefined, () => this.#call("DELETE", pathOf(PLAIN, key)));
  }

  async #copy(from: string, to: string): Promise<void> {
    const { ledger } = this.#options;
    const value = ledger.belief(from).sure;
    if (from === to || value === undefined || !ledger.isKnown(from)) return;
    const source: HeaderField = ["x-amz-copy-source", pathOf(PLAIN, from)];
    await this.#write(to, value, () => this.#call("PUT", pathOf(PLAIN, to), undefined, [source]));
  }

  async #assemble(key: string): Promise<void> {
    const target = pathOf(PLAIN, key);
    const created = await this.#call("POST", `${target}?uploads`);
    if (!this.#isGood(created, `upload of ${key}`)) return;
    const uploadId = textAt(created.xml(), "UploadId") ?? "";
    const body = this.#body();
    const part = await this.#call("PUT", `${target}?partNumber=1&uploadId=${uploadId}`, body);
    if (!this.#isGood(part, `part of ${key}`)) return;
    const etag = part.headers.get("etag") ?? "";
    const row = `<Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part>`;
    const list = Buffer.from(`<CompleteMultipartUpload>${row}</CompleteMultipartUpload>`);
    await this.#write(key, sha256(body), () =>
      this.#call("POST", `${target}?uploadId=${uploadId}`, list),
    );
  }

  async #read(key: string): Promise<void> {
    const { ledger } = this.#options;
    const isKnown = ledger.isKnown(key);
    const answer = await this.#call("GET", pathOf(PLAIN, key));
    if (answer.status >= 500 || !answer.isWhole || !isKnown) return;
    const value = answer.status === 200 ? sha256(answer.body) : undefined;
    const { sure } = ledger.belief(key);
    // Another lane never writes this key, and this lane waits for the answer.
    if (value === sure && (answer.status === 200 || answer.code === "NoSuchKey")) return;
    this.violations.push(`read of ${key} under load: ${answer.status}, ${ledger.describe(key)}`);
  }

  async #version(key: string): Promise<void> {
    const { ledger } = this.#options;
    const own = [...ledger.versions].filter(
      ([, version]) => version.key === key && version.state === "there",
    );
    const oldest = own[0];
    if (oldest !== undefined && own.length > VERSIONS_KEPT) {
      const [id, version] = oldest;
      version.state = "deleting";
      ledger.touched.add(id);
      const gone = await this.#call("DELETE", `${pathOf(VERSIONED, key)}?versionId=${id}`);
      if (!this.#isGood(gone, `deletion of version ${id}`)) return;
      version.state = "deleted";
      ledger.acknowledged += 1;
      return;
    }
    const body = this.#body();
    const value = sha256(body);
    ledger.maybeVersions.add(`${key} ${value}`);
    const answer = await this.#call("PUT", pathOf(VERSIONED, key), body);
    if (!this.#isGood(answer, `write of ${key}`)) return;
    const id = answer.headers.get("x-amz-version-id") ?? "";
    ledger.maybeVersions.delete(`${key} ${value}`);
    ledger.versions.set(id, { key, value, state: "there" });
    ledger.touched.add(id);
    ledger.acknowledged += 1;
  }
}

/** A broken connection, or none to be had, is what a dying server looks like. */
function isConnectionEnd(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return /ECONN|EPIPE|no answer/.test(`${error.message} ${"code" in error ? error.code : ""}`);
}
