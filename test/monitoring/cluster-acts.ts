// What is done to a cluster so that its metrics move.
import { once } from "node:events";
import { closeSync, fstatSync, openSync, readdirSync, statSync, writeSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import aws4 from "aws4";
import { runDolium } from "../support/dolium-command.ts";
import { eventually } from "../support/eventually.ts";
import type { LocalCluster } from "../support/local-cluster.ts";
import type { Act } from "./metric-acts.ts";

const BUCKET = "watched";
/** Exit code of a command that nobody answered. */
const UNAVAILABLE = 5;
const COMMAND_MS = 120_000;
const BUSY: ReadonlySet<string> = new Set(["InternalError", "ServiceUnavailable", "SlowDown"]);
const LARGE = 1_500_000;
const ROTTEN_BODIES = 4;

export class ClusterActs {
  readonly #cluster: LocalCluster;
  readonly #s3: S3Client;
  #round = 0;
  #quotaBytes = 0;

  constructor(cluster: LocalCluster) {
    this.#cluster = cluster;
    this.#s3 = cluster.s3(0, 6);
  }

  async prepare(): Promise<void> {
    await patiently(() => this.#s3.send(new CreateBucketCommand({ Bucket: BUCKET })));
  }

  /** An access token of a new user who may do everything. */
  async token(user: string): Promise<string> {
    await this.#command(["user", "create", user, "--administrator", "--no-key"]);
    const { token } = await this.#command(["token", "create", user]);
    return String(token);
  }

  async perform(act: Act): Promise<void> {
    const acts: Readonly<Record<Act, () => Promise<unknown>>> = {
      running: async () => undefined,
      traffic: () => this.traffic(),
      refusal: () => this.refusal(),
      disconnect: () => this.#disconnect(),
      upload: () =>
        this.#s3.send(new CreateMultipartUploadCommand({ Bucket: BUCKET, Key: "parts" })),
      token: () => this.token("second_ops"),
      quota: () => this.#quota(),
      delete: () => this.#delete(),
      rot: () => this.#rot(),
      "node-lost": () => this.#cluster.kill("storage-3"),
    };
    await patiently(acts[act]);
  }

  /** Inline and coded bodies are written, read and listed. */
  async traffic(): Promise<void> {
    this.#round += 1;
    for (const [name, size] of [
      ["small", 500],
      ["large", LARGE],
    ] as const) {
      const Key = `${name}/${this.#round}`;
      const Body = Buffer.alloc(size, this.#round);
      await this.#s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body }));
      await this.#read(Key);
    }
    await this.#s3.send(new ListObjectsV2Command({ Bucket: BUCKET }));
  }

  /** A key that nobody has, and nobody at all. */
  async refusal(): Promise<void> {
    const credentials = { accessKeyId: "NOBODYSKEY0000000001", secretAccessKey: "wrong" };
    const { region, endpoints } = this.#cluster.ready;
    const endpoint = endpoints[0] ?? "";
    const stranger = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    try {
      await stranger.send(new ListObjectsV2Command({ Bucket: BUCKET }));
      throw new Error("a stranger was served");
    } catch (error) {
      if (!(error instanceof Error) || error.name !== "InvalidAccessKeyId") throw error;
    } finally {
      stranger.destroy();
    }
    const anonymous = await fetch(`${endpoint}/${BUCKET}`);
    await anonymous.arrayBuffer();
    if (anonymous.status !== 403) throw new Error(`anonymous: ${anonymous.status}`);
  }

  async #read(Key: string): Promise<void> {
    const { Body } = await this.#s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
    await Body?.transformToByteArray();
  }

  /** A client that says how long its body is, is told to go on, and leaves. */
  async #disconnect(): Promise<void> {
    const { accessKeyId, secretAccessKey, region, endpoints } = this.#cluster.ready;
    const { host, hostname, port } = new URL(endpoints[0] ?? "");
    const path = `/${BUCKET}/gone`;
    const headers = { "Content-Length": "9", Expect: "100-continue" };
    const { headers: signed = {} } = aws4.sign(
      { method: "PUT", host, path, headers, service: "s3", region },
      { accessKeyId, secretAccessKey },
    );
    const lines = Object.entries(signed).map(([name, value]) => `${name}: ${value}`);
    const socket = connect(Number(port), hostname);
    try {
      await once(socket, "connect");
      socket.write(`PUT ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
      const [answer] = await once(socket, "data");
      if (!String(answer).startsWith("HTTP/1.1 100")) throw new Error(String(answer));
    } finally {
      socket.resetAndDestroy();
    }
  }

  async #quota(): Promise<void> {
    this.#quotaBytes += 1_000_000_000;
    await this.#command(["bucket", "quota", BUCKET, "--bytes", String(this.#quotaBytes)]);
  }

  async #delete(): Promise<void> {
    await this.traffic();
    const Objects = Array.from({ length: this.#round }, (_, at) => ({ Key: `large/${at + 1}` }));
    await this.#s3.send(new DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects } }));
  }

  /** Every shard on one node is overwritten, and read: of one body they may all be parity. */
  async #rot(): Promise<void> {
    const rounds: number[] = [];
    while (rounds.length < ROTTEN_BODIES) {
      await this.traffic();
      rounds.push(this.#round);
    }
    const { dir } = this.#cluster.process("storage-2");
    for (const path of segmentsBelow(dir)) spoil(path);
    for (const round of rounds) await this.#read(`large/${round}`);
  }

  /** A cluster on a busy machine may not answer at once. */
  #command(args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
    const { dataDir } = this.#cluster;
    const place = { folder: dataDir, environment: { DOLIUM_DATA: dataDir } };
    return eventually(`dolium ${args.join(" ")}`, COMMAND_MS, async () => {
      const { code, stdout, stderr } = await runDolium([...args, "--json"], place);
      if (code === UNAVAILABLE) return undefined;
      if (code !== 0) throw new Error(`${stdout}${stderr}`);
      return JSON.parse(stdout) as Readonly<Record<string, unknown>>;
    });
  }
}

/** A busy machine may keep a cluster from answering for a while; what it refuses is an answer. */
function patiently(work: () => Promise<unknown>): Promise<true> {
  return eventually("the cluster answers", COMMAND_MS, async () => {
    try {
      await work();
      return true;
    } catch (error) {
      if (error instanceof Error && BUSY.has(error.name)) return undefined;
      throw error;
    }
  });
}

function segmentsBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".seg"))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => statSync(path).size > 0);
}

/** Bytes within every cell, whatever its size; heads of records stay. */
function spoil(path: string): void {
  const file = openSync(path, "r+");
  try {
    const { size } = fstatSync(file);
    for (let at = 8192; at < size; at += 16_384)
      writeSync(file, Buffer.of(0xff, 0, 0xff), 0, 3, at);
  } finally {
    closeSync(file);
  }
}
