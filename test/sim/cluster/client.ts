// One client of a run: does one S3 operation after another on a few keys, through any gateway, and
// writes down what it asked and saw. Every write has a value of its own. What an answer may be in
// the middle of faults is decided here; an answer no fault explains ends the run.
import { childrenNamed, childText, parseXml } from "../../../services/lib/s3/xml-reader.ts";
import type { Condition, Kind, ListPage, Output } from "../../checkers/history.ts";
import type { SimRandom } from "../random.ts";
import { type BodyName, makeBody, wrongBody } from "./bodies.ts";
import type { SimCluster } from "./cluster.ts";
import type { History } from "./history.ts";
import type { HttpAnswer } from "./http-call.ts";
import { callS3, type S3Call, type S3Result } from "./s3-client.ts";
import { Violation } from "./violation.ts";

export interface Bucket {
  readonly name: string;
  readonly isVersioned: boolean;
}

export interface Workload {
  readonly buckets: readonly Bucket[];
  /** Keys that are written and copied from; entity tags are unique on them. */
  readonly sources: readonly string[];
  /** Keys that copies go to. */
  readonly targets: readonly string[];
  readonly bodyBytesMax: number;
  readonly pauseMs: number;
  /** Share of the operations that list a bucket. */
  readonly listShare: number;
}

interface Asked {
  readonly kind: Kind;
  readonly bucket: string;
  readonly key: string;
  readonly value?: string;
  readonly condition?: Condition;
  readonly prefix?: string;
}

type Headers = readonly (readonly [string, string])[];

const VALUE = "x-amz-meta-value";
/** Codes that say for certain that nothing was done. */
const WITHOUT_EFFECT = new Set([
  "RequestTimeTooSkewed",
  "ConditionalRequestConflict",
  "NoSuchUpload",
  "InvalidPart",
  "SlowDown",
]);

export class Client {
  readonly name: string;
  readonly #cluster: SimCluster;
  readonly #history: History;
  readonly #random: SimRandom;
  readonly #workload: Workload;
  /** Entity tag to value, of the source keys as last seen. */
  readonly #tags = new Map<string, { readonly etag: string; readonly value: string }>();
  #count = 0;
  isStopped = false;
  /** Sees that every operation ends well: set once all faults are over. */
  isStrict = false;

  constructor(
    cluster: SimCluster,
    history: History,
    parts: { readonly name: string; readonly random: SimRandom; readonly workload: Workload },
  ) {
    this.#cluster = cluster;
    this.#history = history;
    this.name = parts.name;
    this.#random = parts.random;
    this.#workload = parts.workload;
  }

  /** Resolves after `isStopped` was set and the last operation ended. */
  async run(): Promise<void> {
    const { pauseMs } = this.#workload;
    while (!this.isStopped) {
      await this.#step();
      await this.#cluster.clock.sleep(this.#random.below(2 * pauseMs) + 1);
    }
  }

  /** Makes the buckets; tries until each is there. */
  async setUp(): Promise<void> {
    for (const { name, isVersioned } of this.#workload.buckets) {
      await this.#until({ method: "PUT", target: `/${name}` });
      if (!isVersioned) continue;
      const body = Buffer.from(
        "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
      );
      await this.#until({ method: "PUT", target: `/${name}?versioning`, body });
    }
  }

  /** Reads a key; with a version id that version. */
  async read(bucket: string, key: string, versionId?: string): Promise<HttpAnswer | undefined> {
    const query = versionId === undefined ? "" : `?versionId=${versionId}`;
    const answer = await this.#call({ method: "GET", target: `/${bucket}/${key}${query}` });
    return typeof answer === "string" ? undefined : answer;
  }

  async get(bucket: string, key: string): Promise<Output> {
    return this.#do({ kind: "get", bucket, key }, () =>
      this.#call({ method: "GET", target: `/${bucket}/${key}` }),
    );
  }

  async put(bucket: Bucket, key: string): Promise<Output> {
    return this.#put(bucket, key);
  }

  async list(bucket: Bucket): Promise<void> {
    await this.#list(bucket);
  }

  #step(): Promise<unknown> {
    const random = this.#random;
    const { buckets, sources, targets, listShare } = this.#workload;
    const bucket = random.pick(buckets);
    const source = random.pick(sources);
    const key = random.chance(0.25) ? random.pick(targets) : source;
    if (random.chance(listShare)) return this.#list(bucket);
    const dice = 0.95 * random.unit();
    if (dice < 0.3) return this.#put(bucket, key);
    if (dice < 0.55) return this.get(bucket.name, key);
    if (dice < 0.62) return this.#head(bucket, key);
    if (dice < 0.72) return this.#range(bucket, key);
    if (dice < 0.8) return this.#delete(bucket, key);
    if (dice < 0.88) return this.#multipart(bucket, key);
    if (dice < 0.93) return this.#copy(bucket, source, random.pick(targets));
    return this.#vanish(bucket, key);
  }

  #newValue(): { readonly value: string; readonly body: BodyName } {
    this.#count += 1;
    const value = `${this.name}-${this.#count}`;
    const max = this.#workload.bodyBytesMax;
    const isSmall = this.#random.chance(0.2);
    const body = { id: value, size: 1 + this.#random.below(isSmall ? 300 : max) };
    this.#history.bodies.set(value, body);
    return { value, body };
  }

  async #put(bucket: Bucket, key: string): Promise<Output> {
    const { value, body } = this.#newValue();
    const condition = this.#drawCondition(bucket.name, key);
    const headers = [
      [VALUE, value] as const,
      ...conditionHeaders(condition, this.#tagOf(bucket, key)),
    ];
    const bytes = makeBody(body);
    const asked = { kind: "put" as const, bucket: bucket.name, key, value, ...given(condition) };
    const call = { method: "PUT", target: `/${bucket.name}/${key}`, headers, body: bytes };
    return this.#do(asked, async () => {
      const answer = await this.#call(call);
      if (isOk(answer)) this.#wrote(bucket, key, value, answer);
      return answer;
    });
  }

  /** The client goes away in the middle of a write; what came of it is unknown. */
  #vanish(bucket: Bucket, key: string): Promise<Output> {
    const { value, body } = this.#newValue();
    const bytes = makeBody(body);
    const cutAt = this.#random.below(bytes.byteLength + 400);
    const asked = { kind: "put" as const, bucket: bucket.name, key, value };
    const headers = [[VALUE, value]] as const;
    const target = `/${bucket.name}/${key}`;
    return this.#do(asked, () =>
      this.#call({ method: "PUT", target, headers, body: bytes, cutAt }),
    );
  }

  async #multipart(bucket: Bucket, key: string): Promise<Output | undefined> {
    const { value, body } = this.#newValue();
    const path = `/${bucket.name}/${key}`;
    const headers = [[VALUE, value]] as const;
    const begun = await this.#call({ method: "POST", target: `${path}?uploads`, headers });
    if (!isOk(begun)) return undefined;
    const uploadId = childText(parseXml(begun.body), "UploadId") ?? "";
    const target = `${path}?partNumber=1&uploadId=${uploadId}`;
    const part = await this.#call({ method: "PUT", target, body: makeBody(body) });
    if (!isOk(part)) return undefined;
    const etag = part.headers.get("etag") ?? "";
    const document = Buffer.from(
      `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part>` +
        "</CompleteMultipartUpload>",
    );
    const condition: Condition | undefined = this.#random.chance(0.2)
      ? { kind: "absent" }
      : undefined;
    const asked = {
      kind: "complete" as const,
      bucket: bucket.name,
      key,
      value,
      ...given(condition),
    };
    const complete = {
      method: "POST",
      target: `${path}?uploadId=${uploadId}`,
      headers: conditionHeaders(condition, undefined),
      body: document,
    };
    return this.#do(asked, async () => {
      let answer = await this.#call(complete);
      // A retry after a lost answer gets the answer of what was done.
      if (isUnknown(answer) && this.#random.chance(0.5)) {
        const again = await this.#call(complete);
        if (isOk(again)) answer = again;
      }
      if (isOk(answer)) this.#wrote(bucket, key, value, answer);
      return answer;
    });
  }

  async #copy(bucket: Bucket, from: string, to: string): Promise<Output | undefined> {
    const known = this.#tagOf(bucket, from);
    const body = known === undefined ? undefined : this.#history.bodies.get(known.value);
    if (known === undefined || body === undefined) return undefined;
    this.#count += 1;
    const value = `${this.name}-${this.#count}`;
    this.#history.bodies.set(value, body);
    const headers: Headers = [
      ["x-amz-copy-source", `/${bucket.name}/${from}`],
      ["x-amz-copy-source-if-match", known.etag],
      ["x-amz-metadata-directive", "REPLACE"],
      [VALUE, value],
    ];
    const asked = { kind: "copy" as const, bucket: bucket.name, key: to, value };
    return this.#do(asked, async () => {
      const answer = await this.#call({ method: "PUT", target: `/${bucket.name}/${to}`, headers });
      if (isOk(answer)) this.#wrote(bucket, to, value, answer);
      return answer;
    });
  }

  #head(bucket: Bucket, key: string): Promise<Output> {
    return this.#do({ kind: "head", bucket: bucket.name, key }, () =>
      this.#call({ method: "HEAD", target: `/${bucket.name}/${key}` }),
    );
  }

  #range(bucket: Bucket, key: string): Promise<Output> {
    const offset = this.#random.below(this.#workload.bodyBytesMax);
    const last = offset + this.#random.below(5000);
    const headers = [["Range", `bytes=${offset}-${last}`]] as const;
    return this.#do({ kind: "get", bucket: bucket.name, key }, () =>
      this.#call({ method: "GET", target: `/${bucket.name}/${key}`, headers }),
    );
  }

  #delete(bucket: Bucket, key: string): Promise<Output> {
    return this.#do({ kind: "delete", bucket: bucket.name, key }, () =>
      this.#call({ method: "DELETE", target: `/${bucket.name}/${key}` }),
    );
  }

  async #list(bucket: Bucket): Promise<void> {
    const asked = { kind: "list" as const, bucket: bucket.name, key: "", prefix: "" };
    const invokedAt = this.#history.now();
    const pages: ListPage[] = [];
    const isWhole = this.#random.chance(0.5);
    let token: string | undefined;
    do {
      const more = token === undefined ? "" : `&continuation-token=${encodeURIComponent(token)}`;
      const started = this.#history.now();
      const size = isWhole ? 1000 : this.#random.between(2, 6);
      const target = `/${bucket.name}?list-type=2&max-keys=${size}${more}`;
      const answer = await this.#call({ method: "GET", target });
      if (!isOk(answer)) {
        this.#checkAnswer(asked, answer);
        return;
      }
      const document = parseXml(answer.body);
      const keys = childrenNamed(document, "Contents").map(
        (entry) => childText(entry, "Key") ?? "",
      );
      pages.push({ invokedAt: started, returnedAt: this.#history.now(), keys });
      token = childText(document, "NextContinuationToken");
    } while (token !== undefined && token !== "");
    this.#record(asked, invokedAt, { kind: "ok", pages });
  }

  #tagOf(
    bucket: Bucket,
    key: string,
  ): { readonly etag: string; readonly value: string } | undefined {
    return this.#tags.get(`${bucket.name}/${key}`);
  }

  #drawCondition(bucket: string, key: string): Condition | undefined {
    if (this.#random.chance(0.15)) return { kind: "absent" };
    const known = this.#tags.get(`${bucket}/${key}`);
    if (known === undefined || !this.#random.chance(0.3)) return undefined;
    return { kind: "value", value: known.value };
  }

  #wrote(bucket: Bucket, key: string, value: string, answer: HttpAnswer): void {
    const versionId = answer.headers.get("x-amz-version-id");
    if (versionId === undefined) return;
    this.#history.versions.push({ bucket: bucket.name, key, versionId, value });
  }

  async #do(asked: Asked, work: () => Promise<S3Result>): Promise<Output> {
    const invokedAt = this.#history.now();
    const answer = await work();
    const output = this.#judge(asked, answer);
    this.#record(asked, invokedAt, output);
    return output;
  }

  #record(asked: Asked, invokedAt: number, output: Output): void {
    const { kind, bucket, key, value, condition, prefix } = asked;
    const returnedAt = output.kind === "unknown" ? Number.POSITIVE_INFINITY : this.#history.now();
    const input = {
      ...(value === undefined ? {} : { value }),
      ...given(condition),
      ...(prefix === undefined ? {} : { prefix }),
    };
    // An operation that is unknown may take effect later: its client is never used again.
    const client = this.name;
    this.#history.add({ client, kind, bucket, key, invokedAt, returnedAt, input, output });
  }

  /** What the answer says; throws Violation where no fault explains it. */
  #judge(asked: Asked, answer: S3Result): Output {
    const isRead = asked.kind === "get" || asked.kind === "head";
    const refused = this.#checkAnswer(asked, answer);
    if (refused !== undefined) return refused;
    if (typeof answer === "string") return { kind: "unknown", why: answer };
    if (!isRead) return { kind: "ok" };
    if (answer.status === 404) return { kind: "ok", value: null };
    if (answer.status === 416) return { kind: "ok", present: true };
    const value = answer.headers.get(VALUE) ?? "";
    this.#checkBody(asked, answer, value);
    const etag = answer.headers.get("etag");
    if (etag !== undefined && this.#workload.sources.includes(asked.key)) {
      this.#tags.set(`${asked.bucket}/${asked.key}`, { etag, value });
    }
    return { kind: "ok", value };
  }

  #checkBody({ kind, bucket, key }: Asked, answer: HttpAnswer, value: string): void {
    const body = this.#history.bodies.get(value);
    if (body === undefined)
      throw new Violation("bytes", `${bucket}/${key}: no such value ${value}`);
    if (kind === "head") return;
    const range = rangeOf(answer) ?? { offset: 0, length: body.size };
    const wrong = wrongBody(body, answer.body, range);
    if (wrong !== undefined) throw new Violation("bytes", `${bucket}/${key}: ${wrong}`);
  }

  /** Undefined for an answer that tells what was found or done. */
  #checkAnswer(asked: Asked, answer: S3Result): Output | undefined {
    if (answer === "unsent") return this.#weak(asked, { kind: "failed", why: "unsent" });
    if (answer === "unknown") return this.#weak(asked, { kind: "unknown", why: "no answer" });
    const { status } = answer;
    const code = /<Code>([A-Za-z]+)<\/Code>/.exec(answer.body.toString())?.[1] ?? "";
    const isRead = asked.kind === "get" || asked.kind === "head";
    if (status === 412 && asked.kind === "copy") return { kind: "failed", why: code };
    if (status === 412) return { kind: "refused" };
    if (status === 404 && asked.condition?.kind === "value") return { kind: "refused" };
    if (status === 404 && asked.kind === "copy") return { kind: "failed", why: code };
    if (isRead && (status === 404 || status === 416)) return undefined;
    if (WITHOUT_EFFECT.has(code)) return this.#weak(asked, { kind: "failed", why: code });
    if (status >= 500 || (status === 200 && code !== "" && asked.kind === "complete")) {
      return this.#weak(asked, { kind: "unknown", why: `${status} ${code}` });
    }
    if (status >= 200 && status < 300) return undefined;
    const text = answer.body.toString().slice(0, 300);
    throw new Violation("answers", `${asked.kind} ${asked.bucket}/${asked.key}: ${status} ${text}`);
  }

  /** An outcome that only a fault excuses. */
  #weak(asked: Asked, output: Output & { readonly why: string }): Output {
    const isOptional = output.why === "ConditionalRequestConflict";
    if (!this.isStrict || isOptional) return output;
    const what = `${asked.kind} ${asked.bucket}/${asked.key}`;
    throw new Violation("liveness", `${what} failed though all faults are over: ${output.why}`);
  }

  #call(call: S3Call): Promise<S3Result> {
    const { gateways } = this.#cluster;
    return callS3(this.#cluster, this.#random.pick(gateways), call);
  }

  async #until(call: S3Call): Promise<void> {
    for (;;) {
      const answer = await this.#call(call);
      if (typeof answer !== "string" && (answer.status === 200 || answer.status === 409)) return;
      await this.#cluster.clock.sleep(200);
    }
  }
}

function isOk(answer: S3Result): answer is HttpAnswer {
  if (typeof answer === "string" || answer.status < 200 || answer.status >= 300) return false;
  return !answer.body.subarray(0, 300).includes("<Error>");
}

function isUnknown(answer: S3Result): boolean {
  return answer === "unknown" || (typeof answer !== "string" && answer.status >= 500);
}

function given(condition: Condition | undefined): { readonly condition?: Condition } {
  return condition === undefined ? {} : { condition };
}

function conditionHeaders(
  condition: Condition | undefined,
  known: { readonly etag: string } | undefined,
): Headers {
  if (condition === undefined) return [];
  if (condition.kind === "absent") return [["If-None-Match", "*"]];
  return [["If-Match", known?.etag ?? ""]];
}

function rangeOf(
  answer: HttpAnswer,
): { readonly offset: number; readonly length: number } | undefined {
  const range = /^bytes (\d+)-(\d+)\//.exec(answer.headers.get("content-range") ?? "");
  if (range === null) return undefined;
  const offset = Number(range[1]);
  return { offset, length: Number(range[2]) - offset + 1 };
}
