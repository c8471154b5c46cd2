// Parallel uploads and downloads that remember what was acknowledged, for tests that break things
// meanwhile. Bodies come from seeds, so only their hashes are kept.
import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import {
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { seededBytes, sha256Hex } from "./seeded-bytes.ts";

export interface WorkloadOptions {
  readonly bucket: string;
  readonly prefix: string;
  /** One client a lane; lanes take turns over them. */
  readonly clients: readonly S3Client[];
  readonly lanes: number;
  readonly sizes: readonly number[];
  /** Of each lane after each object; none unless told. */
  readonly pauseMs?: number;
}

export class Workload {
  readonly acknowledged = new Map<string, string>();
  /** Writes that failed after all retries: their outcome is unknown. */
  readonly failed: string[] = [];
  /** Reads of what was acknowledged that failed after all retries. */
  readonly failedReads: string[] = [];
  readonly wrongReads: string[] = [];
  /** performance.now() of each acknowledgement. */
  readonly acknowledgedAt: number[] = [];
  readonly #options: WorkloadOptions;
  readonly #running: Promise<void>[];
  #stopped = false;
  #count = 0;

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.#running = Array.from({ length: options.lanes }, (_, lane) => this.#lane(lane));
  }

  get count(): number {
    return this.acknowledged.size;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  /** Every object acknowledged by now is listed and byte-identical; the load may go on. */
  async verify(client: S3Client): Promise<void> {
    assert.deepEqual(this.wrongReads, []);
    const queue = [...this.acknowledged];
    const keys = await listAll(client, this.#options.bucket, this.#options.prefix);
    const missing = queue.map(([key]) => key).filter((key) => !keys.has(key));
    assert.deepEqual(missing, [], "acknowledged objects that are not listed");
    const lanes = Array.from({ length: 4 }, async () => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
        assert.equal(await this.#read(client, next[0]), next[1], next[0]);
      }
    });
    await Promise.all(lanes);
  }

  async #lane(lane: number): Promise<void> {
    const { clients, sizes, bucket, prefix, pauseMs = 0 } = this.#options;
    const client = clients[lane % clients.length];
    assert.ok(client !== undefined);
    while (!this.#stopped) {
      const number = this.#count;
      this.#count += 1;
      const Key = `${prefix}${String(number).padStart(6, "0")}`;
      const body = seededBytes(Key, sizes[number % sizes.length] ?? 0);
      try {
        await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: body }));
        this.acknowledged.set(Key, sha256Hex(body));
        this.acknowledgedAt.push(performance.now());
      } catch {
        this.failed.push(Key);
        continue;
      }
      await this.#readBack(client, Key);
      if (pauseMs > 0) await setTimeout(pauseMs);
    }
  }

  /** A read may fail while things are broken, but it may never be wrong. */
  async #readBack(client: S3Client, key: string): Promise<void> {
    let hash: string;
    try {
      hash = await this.#read(client, key);
    } catch {
      this.failedReads.push(key);
      return;
    }
    if (hash !== this.acknowledged.get(key)) this.wrongReads.push(key);
  }

  async #read(client: S3Client, key: string): Promise<string> {
    const { Body } = await client.send(
      new GetObjectCommand({ Bucket: this.#options.bucket, Key: key }),
    );
    return sha256Hex((await Body?.transformToByteArray()) ?? new Uint8Array(0));
  }
}

export async function listAll(
  client: S3Client,
  bucket: string,
  prefix: string,
): Promise<Set<string>> {
  const keys = new Set<string>();
  let ContinuationToken: string | undefined;
  do {
    const page = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken }),
    );
    for (const { Key } of page.Contents ?? []) keys.add(Key ?? "");
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  return keys;
}
