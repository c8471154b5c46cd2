// Clients that go away in the middle of a body: after each 1/64 of it, by a reset or by an orderly
// end, with bodies of stated length and in signed chunks, as objects and as parts. What stood there
// before stays, byte for byte, and the server keeps no descriptor, socket or memory of them.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { Caller, pathOf, type Target, textAt } from "../s3/caller.ts";
import { eventually } from "../support/eventually.ts";
import { seededBytes } from "../support/seeded-bytes.ts";

export const STEPS = 64;
const BUCKET = "aborts";
const KEY = "kept";
/** Several stripes of the default policy, so that shards are being written when the client goes. */
const BODY_BYTES = 3_000_000;
const CHUNK_BYTES = 65_536;
const AT_ONCE = 6;
const QUIET_TIMEOUT_MS = 60_000;
const MEMORY_SAMPLES = 20;

const KINDS = ["object", "object in chunks", "part", "part in chunks"] as const;
type Kind = (typeof KINDS)[number];

export interface Resources {
  readonly descriptors: number;
  readonly sockets: number;
  /** Smallest of several readings: what a collection leaves. */
  readonly residentBytes: number;
}

export class AbortRun {
  readonly #caller: Caller;
  readonly #pid: number;
  readonly #kept = seededBytes("kept", 200_000);
  readonly #part = seededBytes("part", 100_000);
  readonly #requests = new Map<Kind, { readonly bytes: Buffer; readonly headBytes: number }>();
  #uploadId = "";
  #count = 0;

  /** Every `stride`-th step of a body. */
  readonly #stride: number;

  constructor(target: Target, pid: number, stride = 1) {
    this.#caller = new Caller(target);
    this.#pid = pid;
    this.#stride = stride;
  }

  /** What is to be kept: an object, and an upload with one part. */
  async prepare(): Promise<void> {
    const caller = this.#caller;
    await expectOk(caller.call({ method: "PUT", target: `/${BUCKET}` }));
    await eventually("the first object is written", QUIET_TIMEOUT_MS, async () => {
      await expectOk(caller.put(BUCKET, KEY, this.#kept));
      return true;
    });
    const created = await caller.call({
      method: "POST",
      target: `${pathOf(BUCKET, "big")}?uploads`,
    });
    this.#uploadId = textAt(created.xml(), "UploadId") ?? "";
    await expectOk(caller.call({ method: "PUT", target: this.#partTarget(), body: this.#part }));
  }

  /** Aborts `count` requests, each step and each kind in turn. */
  async abort(count: number): Promise<void> {
    const end = this.#count + count;
    const lanes = Array.from({ length: AT_ONCE }, async () => {
      while (this.#count < end) {
        const number = this.#count;
        this.#count += 1;
        await this.#abortOne(number);
      }
    });
    await Promise.all(lanes);
  }

  /** What stood there before is what is read now. Throws otherwise. */
  async check(): Promise<void> {
    const caller = this.#caller;
    const object = await caller.get(BUCKET, KEY);
    if (object.status !== 200 || !object.body.equals(this.#kept)) {
      throw new Error(`the object is not what it was: ${object.status} ${object.body.byteLength}`);
    }
    const list = await caller.call({ target: `/${BUCKET}?list-type=2` });
    const keys = [...list.text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key);
    if (keys.join() !== KEY) throw new Error(`listed: ${keys.join()}`);
    const target = `${pathOf(BUCKET, "big")}?uploadId=${this.#uploadId}`;
    const parts = await caller.call({ target });
    const sizes = [...parts.text.matchAll(/<Size>(\d+)<\/Size>/g)].map(([, size]) => size);
    if (sizes.join() !== String(this.#part.byteLength)) throw new Error(`parts: ${parts.text}`);
  }

  /** The upload that lost many parts half-way is completed with the one it has. */
  async complete(): Promise<void> {
    const caller = this.#caller;
    const target = `${pathOf(BUCKET, "big")}?uploadId=${this.#uploadId}`;
    const parts = await caller.call({ target });
    const etag = textAt(parts.xml(), "Part", "ETag") ?? "";
    const row = `<Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part>`;
    const body = `<CompleteMultipartUpload>${row}</CompleteMultipartUpload>`;
    await expectOk(caller.call({ method: "POST", target, body }));
    const whole = await caller.get(BUCKET, "big");
    if (!whole.body.equals(this.#part)) throw new Error("the completed upload is not its part");
  }

  /**
   * Once the server is quiet: no more sockets than `sockets`. Ordinary requests meanwhile give its
   * collector something to do.
   */
  async measure(sockets = Number.POSITIVE_INFINITY): Promise<Resources> {
    await eventually("the sockets are closed", QUIET_TIMEOUT_MS, async () =>
      this.#descriptors().sockets <= sockets ? true : undefined,
    );
    let residentBytes = Number.POSITIVE_INFINITY;
    for (let sample = 0; sample < MEMORY_SAMPLES; sample += 1) {
      await expectOk(this.#caller.put(BUCKET, KEY, this.#kept));
      await this.#caller.get(BUCKET, KEY);
      residentBytes = Math.min(residentBytes, residentBytesOf(this.#pid));
    }
    return { ...this.#descriptors(), residentBytes };
  }

  #descriptors(): { readonly descriptors: number; readonly sockets: number } {
    const folder = `/proc/${this.#pid}/fd`;
    const links = readdirSync(folder).flatMap((name) => {
      try {
        return [readlinkSync(`${folder}/${name}`)];
      } catch {
        // Closed between the two calls.
        return [];
      }
    });
    const sockets = links.filter((link) => link.startsWith("socket:")).length;
    return { descriptors: links.length, sockets };
  }

  #partTarget(): string {
    return `${pathOf(BUCKET, "big")}?partNumber=1&uploadId=${this.#uploadId}`;
  }

  /** The whole request, signed once for each kind: it is never finished, so never replayed. */
  #request(kind: Kind): { readonly bytes: Buffer; readonly headBytes: number } {
    const known = this.#requests.get(kind);
    if (known !== undefined) return known;
    const target = kind.startsWith("part") ? this.#partTarget() : pathOf(BUCKET, KEY);
    const body = seededBytes(kind, BODY_BYTES);
    const call = { method: "PUT", target };
    const chunks = Array.from({ length: Math.ceil(BODY_BYTES / CHUNK_BYTES) }, (_, at) =>
      body.subarray(at * CHUNK_BYTES, (at + 1) * CHUNK_BYTES),
    );
    const bytes = kind.endsWith("in chunks")
      ? this.#caller.chunkedBytes(call, chunks)
      : this.#caller.requestBytes({ ...call, body });
    const made = { bytes, headBytes: bytes.indexOf("\r\n\r\n") + 4 };
    this.#requests.set(kind, made);
    return made;
  }

  async #abortOne(number: number): Promise<void> {
    const steps = STEPS / this.#stride;
    const kind = KINDS[Math.floor(number / steps) % KINDS.length] ?? "object";
    const { bytes, headBytes } = this.#request(kind);
    const step = (number % steps) * this.#stride;
    const end = headBytes + Math.floor(((bytes.byteLength - headBytes) * step) / STEPS);
    const isReset = Math.floor(number / KINDS.length) % 2 === 0;
    const { hostname, port } = new URL(this.#caller.target.endpoint);
    const socket = connect({ host: hostname, port: Number(port) });
    // A server that refuses early may reset first.
    socket.on("error", () => undefined);
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    await written(socket, bytes.subarray(0, end));
    if (isReset) socket.resetAndDestroy();
    else {
      socket.resume();
      socket.end();
    }
    await closed;
  }
}

/** Resolves when the system has taken the bytes, or the socket is gone. */
function written(socket: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
    socket.write(bytes, () => resolve());
  });
}

function residentBytesOf(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(line) * 1024;
}

async function expectOk(
  call: Promise<{ readonly status: number; readonly text: string }>,
): Promise<void> {
  const { status, text } = await call;
  if (status !== 200) throw new Error(`${status} ${text}`);
}
