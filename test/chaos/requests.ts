// The S3 requests of a chaos client, each an operation of a history: what was asked, what came
// back, and whether a write that failed may still take effect.

import type { HeaderField } from "../../services/lib/s3/headers.ts";
import { wrongBytes } from "../checkers/bytes.ts";
import type { Input, Kind, ListPage, Operation, Output } from "../checkers/history.ts";
import { type Attempt, type AttemptClient, elements, type Request } from "./attempt.ts";
import type { Recorder } from "./recorder.ts";

export interface Place {
  readonly bucket: string;
  readonly key: string;
}

/** What a write is told to be: its value, and the ETag that the condition's value has. */
export interface Write extends Place {
  readonly value: string;
  readonly input: Input;
  readonly matchEtag?: string;
}

const PAGE_KEYS = 3;
const META_VALUE = "x-amz-meta-value";

export class Requests {
  readonly #recorder: Recorder;
  readonly #name: string;
  #lives = 0;
  /** ETag of values that are the only ones with that ETag. */
  readonly #etags: Map<string, string>;

  constructor(name: string, recorder: Recorder, etags: Map<string, string>) {
    this.#name = name;
    this.#recorder = recorder;
    this.#etags = etags;
  }

  async put(client: AttemptClient, write: Write): Promise<Output> {
    const body = this.#recorder.body(write.value);
    const headers = [...conditions(write), [META_VALUE, write.value] as const];
    const request = { method: "PUT", target: pathOf(write), headers, body };
    return this.#write(client, { kind: "put", write, request });
  }

  async copy(client: AttemptClient, write: Write, source: Place): Promise<Output> {
    const headers: HeaderField[] = [
      ...conditions(write),
      ["x-amz-copy-source", pathOf(source)],
      ["x-amz-metadata-directive", "REPLACE"],
      [META_VALUE, write.value],
    ];
    const request = { method: "PUT", target: pathOf(write), headers };
    return this.#write(client, { kind: "copy", write, request });
  }

  /** An upload in parts; only its completion is an operation of the history. */
  async multipart(client: AttemptClient, write: Write, partBytes: number): Promise<Output> {
    const started = await client.send({
      method: "POST",
      target: `${pathOf(write)}?uploads=`,
      headers: [[META_VALUE, write.value]],
    });
    const failed: Output = { kind: "failed", why: "not completed" };
    if (started.kind !== "answer" || started.status !== 200) return failed;
    const upload = elements(started.body, "UploadId")[0] ?? "";
    const body = this.#recorder.body(write.value);
    const parts: string[] = [];
    for (let offset = 0; offset < body.byteLength; offset += partBytes) {
      const number = parts.length + 1;
      const part = await client.send({
        method: "PUT",
        target: `${pathOf(write)}?partNumber=${number}&uploadId=${encodeURIComponent(upload)}`,
        body: body.subarray(offset, offset + partBytes),
      });
      if (part.kind !== "answer" || part.status !== 200) return failed;
      parts.push(
        `<Part><PartNumber>${number}</PartNumber><ETag>${part.headers.etag}</ETag></Part>`,
      );
    }
    const text = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
    const request = {
      method: "POST",
      target: `${pathOf(write)}?uploadId=${encodeURIComponent(upload)}`,
      headers: conditions(write),
      body: Buffer.from(text),
    };
    return this.#write(client, { kind: "complete", write, request });
  }

  async delete(client: AttemptClient, place: Place): Promise<Output> {
    const request = { method: "DELETE", target: pathOf(place) };
    const { attempt, times } = await timed(client, request);
    this.#count("delete", attempt);
    const output = writeOutput(attempt, false);
    this.#record({ kind: "delete", place, times, input: {}, output });
    return output;
  }

  /** Reads and compares every byte; a value that was never written is a problem by itself. */
  async read(
    client: AttemptClient,
    kind: "get" | "head",
    place: Place & { readonly versionId?: string },
  ): Promise<Output> {
    const query =
      place.versionId === undefined ? "" : `?versionId=${encodeURIComponent(place.versionId)}`;
    const method = kind === "get" ? "GET" : "HEAD";
    const { attempt, times } = await timed(client, { method, target: `${pathOf(place)}${query}` });
    this.#count(kind, attempt);
    const output = this.#readOutput(kind, place, attempt);
    if (query === "") this.#record({ kind, place, times, input: {}, output });
    return output;
  }

  async list(client: AttemptClient, bucket: string, prefix: string): Promise<Output> {
    const pages: ListPage[] = [];
    const invokedAt = performance.now();
    for (let token: string | undefined = ""; token !== undefined; ) {
      const more: string = token === "" ? "" : `&continuation-token=${encodeURIComponent(token)}`;
      const query = `list-type=2&max-keys=${PAGE_KEYS}&prefix=${encodeURIComponent(prefix)}`;
      const request = { method: "GET", target: `/${bucket}?${query}${more}` };
      const { attempt, times } = await timed(client, request);
      this.#count("list", attempt);
      if (attempt.kind !== "answer" || attempt.status !== 200) {
        return { kind: "failed", why: whyOf(attempt) };
      }
      const keys = elements(attempt.body, "Key").map((key) => decodeURIComponent(key));
      pages.push({ invokedAt: times[0], returnedAt: times[1], keys });
      token = elements(attempt.body, "NextContinuationToken")[0];
    }
    const output = { kind: "ok", pages } as const;
    const times = [invokedAt, performance.now()] as const;
    this.#record({ kind: "list", place: { bucket, key: "" }, times, input: { prefix }, output });
    return output;
  }

  async #write(
    client: AttemptClient,
    what: { readonly kind: Kind; readonly write: Write; readonly request: Request },
  ): Promise<Output> {
    const { kind, write, request } = what;
    const { attempt, times } = await timed(client, request);
    this.#count(kind, attempt);
    const output = writeOutput(attempt, write.input.condition !== undefined);
    this.#record({ kind, place: write, times, input: write.input, output });
    if (output.kind !== "ok" || attempt.kind !== "answer") return output;
    const etag = attempt.headers.etag ?? elements(attempt.body, "ETag")[0];
    if (kind !== "copy" && etag !== undefined) {
      this.#etags.set(write.value, etag.replaceAll("&quot;", '"'));
    }
    const versionId = attempt.headers["x-amz-version-id"];
    if (typeof versionId === "string" && versionId !== "null") {
      const { bucket, key, value } = write;
      this.#recorder.versions.push({ bucket, key, value, versionId });
    }
    return output;
  }

  #readOutput(kind: "get" | "head", place: Place, attempt: Attempt): Output {
    if (attempt.kind !== "answer") return { kind: "failed", why: whyOf(attempt) };
    if (attempt.status === 404 && (kind === "head" || attempt.code === "NoSuchKey")) {
      return { kind: "ok", value: null };
    }
    if (attempt.status !== 200) return { kind: "failed", why: whyOf(attempt) };
    const value = String(attempt.headers[META_VALUE] ?? "");
    const known = this.#recorder.values.get(value);
    if (known === undefined) {
      this.#recorder.problem(`${kind} ${pathOf(place)}: value ${value} was never written`);
      return { kind: "ok", value };
    }
    const written = { value: known.body, size: known.size };
    const wrong =
      kind === "get"
        ? wrongBytes(written, attempt.body)
        : attempt.headers["content-length"] === String(known.size)
          ? undefined
          : `length ${attempt.headers["content-length"]} instead of ${known.size}`;
    if (wrong !== undefined) this.#recorder.problem(`${kind} ${pathOf(place)}: ${wrong}`);
    return { kind: "ok", value };
  }

  #record(what: {
    readonly kind: Kind;
    readonly place: Place;
    readonly times: readonly [number, number];
    readonly input: Input;
    readonly output: Output;
  }): void {
    const { kind, place, times, input, output } = what;
    const isUnknown = output.kind === "unknown";
    const operation: Operation = {
      client: `${this.#name}.${this.#lives}`,
      kind,
      bucket: place.bucket,
      key: place.key,
      invokedAt: times[0],
      returnedAt: isUnknown ? Number.POSITIVE_INFINITY : times[1],
      input,
      output,
    };
    // A client whose operation may still run is another one from then on.
    if (isUnknown) this.#lives += 1;
    this.#recorder.add(operation);
  }

  #count(kind: string, attempt: Attempt): void {
    this.#recorder.count(`${kind} ${whyOf(attempt)}`);
  }
}

export function pathOf({ bucket, key }: Place): string {
  return `/${bucket}/${key}`;
}

function conditions({ input, matchEtag }: Write): HeaderField[] {
  if (input.condition?.kind === "absent") return [["If-None-Match", "*"]];
  if (input.condition === undefined || matchEtag === undefined) return [];
  return [["If-Match", matchEtag]];
}

async function timed(
  client: AttemptClient,
  request: Request,
): Promise<{ attempt: Attempt; times: readonly [number, number] }> {
  const from = performance.now();
  const attempt = await client.send(request);
  return { attempt, times: [from, performance.now()] };
}

function writeOutput(attempt: Attempt, isConditional: boolean): Output {
  if (attempt.kind === "unsent") return { kind: "failed", why: attempt.why };
  if (attempt.kind === "lost" || attempt.status >= 500) {
    return { kind: "unknown", why: whyOf(attempt) };
  }
  if (attempt.status < 300 && !attempt.body.includes("<Error>")) return { kind: "ok" };
  if (attempt.status < 300) return { kind: "unknown", why: "an error in a 200" };
  if (attempt.status === 412) return { kind: "refused" };
  if (attempt.status === 404 && isConditional && attempt.code === "NoSuchKey") {
    return { kind: "refused" };
  }
  return { kind: "failed", why: whyOf(attempt) };
}

function whyOf(attempt: Attempt): string {
  return attempt.kind === "answer"
    ? `${attempt.status} ${attempt.code}`.trim()
    : `${attempt.kind} ${attempt.why}`;
}
