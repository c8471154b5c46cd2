// The requests of a run, sent over one connection each: every answer is checked for its status and
// its length, the first body a connection reads also byte by byte, by its CRC-32.
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { bodyOf } from "./body-source.ts";
import { type Answer, Connection } from "./connection.ts";
import { type Job, keyOf } from "./job.ts";
import { EMPTY_SHA256, type RequestSigner, UNSIGNED } from "./request-signer.ts";

const PART_BYTES = 8 * 1024 * 1024;
const LIST_KEYS = 1000;
const REASON_LENGTH_MAX = 300;

/** What one operation moved, and when its answer began. */
export interface Done {
  readonly bytes: number;
  readonly firstByteMs: number;
}

export interface Sending {
  readonly method: string;
  readonly key?: string;
  readonly query?: string;
  readonly body?: Buffer;
  readonly take?: "text" | "crc32" | "nothing";
}

export class S3Requests {
  readonly #job: Job;
  readonly #signer: RequestSigner;
  readonly #connection: Connection;
  readonly #hashes = new Map<number, string>();
  #isCompared = false;

  constructor(job: Job, signer: RequestSigner) {
    this.#job = job;
    this.#signer = signer;
    this.#connection = new Connection(job.endpoint.url);
  }

  close(): void {
    this.#connection.close();
  }

  /** Throws unless the status is one of success. */
  async send({ method, key, query = "", body, take = "nothing" }: Sending): Promise<Answer> {
    const path = `/${this.#job.bucket}${key === undefined ? "" : `/${key}`}`;
    const contentLength = body?.byteLength ?? 0;
    const payloadHash = this.#payloadHash(body);
    const request = { method, path, query, payloadHash, contentLength };
    const head = this.#signer.head(request, Date.now());
    const isHead = method === "HEAD";
    const exchange = { head, isHead, take, ...(body === undefined ? {} : { body }) };
    const answer = await this.#connection.exchange(exchange);
    if (answer.status >= 200 && answer.status < 300) return answer;
    const reason = answer.text.slice(0, REASON_LENGTH_MAX);
    throw new Error(
      `${method} ${path}${query === "" ? "" : `?${query}`}: ${answer.status} ${reason}`,
    );
  }

  async put(number: number): Promise<Done> {
    const body = bodyOf(this.#job.size);
    const { firstByteMs } = await this.send({
      method: "PUT",
      key: keyOf(this.#job.newPrefix, number),
      body,
    });
    return { bytes: body.byteLength, firstByteMs };
  }

  async get(number: number): Promise<Done> {
    const { size } = this.#job;
    const take = this.#isCompared ? "nothing" : "crc32";
    const answer = await this.send({ method: "GET", key: this.#storedKey(number), take });
    if (answer.bytes !== size) throw new Error(`GET answered ${answer.bytes} of ${size} bytes`);
    if (!this.#isCompared && answer.crc32 !== crc32(bodyOf(size))) {
      throw new Error("GET answered other bytes than were put");
    }
    this.#isCompared = true;
    return answer;
  }

  async head(number: number): Promise<Done> {
    return this.send({ method: "HEAD", key: this.#storedKey(number) });
  }

  /** Each number is deleted once: there must be as many stored keys as are asked for. */
  async delete(number: number): Promise<Done> {
    if (number >= this.#job.stored) throw new Error(`only ${this.#job.stored} keys were stored`);
    return this.send({ method: "DELETE", key: keyOf(this.#job.prefix, number) });
  }

  async list(): Promise<Done> {
    const { prefix, stored } = this.#job;
    const query = `list-type=2&max-keys=${LIST_KEYS}&prefix=${encodeURIComponent(prefix)}`;
    const answer = await this.send({ method: "GET", query, take: "text" });
    const listed = answer.text.split("<Key>").length - 1;
    const expected = Math.min(stored, LIST_KEYS);
    if (listed !== expected) throw new Error(`a page of ${expected} keys listed ${listed}`);
    return answer;
  }

  async multipart(number: number): Promise<Done> {
    const key = keyOf(this.#job.newPrefix, number);
    const body = bodyOf(this.#job.size);
    const created = await this.send({ method: "POST", key, query: "uploads=", take: "text" });
    const uploadId = /<UploadId>([^<]+)</.exec(created.text)?.[1];
    if (uploadId === undefined) throw new Error("an upload began without an id");
    const id = `uploadId=${encodeURIComponent(uploadId)}`;
    const parts: string[] = [];
    for (let at = 0; at < body.byteLength; at += PART_BYTES) {
      const part = body.subarray(at, at + PART_BYTES);
      const partNumber = parts.length + 1;
      await this.send({ method: "PUT", key, query: `partNumber=${partNumber}&${id}`, body: part });
      const etag = createHash("md5").update(part).digest("hex");
      parts.push(`<Part><PartNumber>${partNumber}</PartNumber><ETag>"${etag}"</ETag></Part>`);
    }
    const document = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
    const whole = Buffer.from(document);
    const answer = await this.send({ method: "POST", key, query: id, body: whole, take: "text" });
    if (answer.text.includes("<Error>")) throw new Error(`a completion failed: ${answer.text}`);
    return { bytes: body.byteLength, firstByteMs: answer.firstByteMs };
  }

  /** Of ten requests 5 read, 3 write, 1 asks, 1 lists; which comes when is the same in each run. */
  async mixed(number: number): Promise<Done> {
    switch ("gpgpghgpgl".charAt(number % 10)) {
      case "p":
        return this.put(number);
      case "h":
        return this.head(number);
      case "l":
        return this.list();
      default:
        return this.get(number);
    }
  }

  #storedKey(number: number): string {
    return keyOf(this.#job.prefix, number % this.#job.stored);
  }

  #payloadHash(body: Buffer | undefined): string {
    if (body === undefined || body.byteLength === 0) return EMPTY_SHA256;
    if (this.#job.payload === "unsigned") return UNSIGNED;
    if (body.byteLength !== this.#job.size) return createHash("sha256").update(body).digest("hex");
    const known =
      this.#hashes.get(body.byteLength) ?? createHash("sha256").update(body).digest("hex");
    this.#hashes.set(body.byteLength, known);
    return known;
  }
}
