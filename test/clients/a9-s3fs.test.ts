// s3fs mounts of a bucket, SigV2 and SigV4, over TLS: files, folders, rename, truncate, append, a
// file of 100 MB. What is read back comes through a second mount, so that no cache answers. Calls
// on the mount never wait in this thread: it serves the TLS that they go through.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import {
  appendFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { CreateBucketCommand, type S3Client } from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import { runCommand } from "../support/run-command.ts";
import { seededBytes, sha256Hex } from "../support/seeded-bytes.ts";
import { startServer, type TestServer } from "../support/test-server.ts";
import { awsSdk } from "./aws-sdk.ts";
import { findClient, rowTest } from "./row-test.ts";
import { startTlsFront, type TlsFront } from "./tls-front.ts";

const MB = 1_000_000;
const program = await findClient({ name: "s3fs", program: "s3fs", args: ["--version"] });
const s3fs = existsSync("/dev/fuse")
  ? program
  : { ...program, absent: "there is no /dev/fuse on this machine" };

let server: TestServer;
let client: S3Client;
let tls: TlsFront;
let folder: string;

before(async () => {
  if (s3fs.absent !== undefined) return;
  server = await startServer();
  client = awsSdk(server);
  tls = await startTlsFront(server.endpoint, ["localhost"]);
  folder = mkdtempSync(join(tmpdir(), "dolium-s3fs-"));
  const password = join(folder, "passwd-s3fs");
  writeFileSync(password, `${server.accessKeyId}:${server.secretAccessKey}\n`, { mode: 0o600 });
});

after(async () => {
  await tls?.stop();
  await server?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

class Mount {
  readonly path: string;
  readonly #child: ChildProcess;
  #said = "";

  private constructor(path: string, child: ChildProcess) {
    this.path = path;
    this.#child = child;
    child.stderr?.on("data", (bytes: Buffer) => {
      this.#said = (this.#said + bytes.toString()).slice(-4000);
    });
  }

  static async open(bucket: string, name: string, signature: string): Promise<Mount> {
    const path = join(folder, name);
    mkdirSync(path);
    const options = [
      `url=https://localhost:${tls.port}`,
      `passwd_file=${join(folder, "passwd-s3fs")}`,
      ...["use_path_request_style", signature, "multipart_size=10", "dbglevel=warn"],
    ];
    const child = spawn("s3fs", [bucket, path, "-f", "-o", options.join(",")], {
      env: { ...process.env, CURL_CA_BUNDLE: tls.certificatePath },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const mount = new Mount(path, child);
    child.stdout?.on("data", (bytes: Buffer) => {
      mount.#said = (mount.#said + bytes.toString()).slice(-4000);
    });
    const parent = statSync(folder).dev;
    try {
      await eventually(`${name} is mounted`, 30_000, async () => {
        const isMounted = (await stat(path)).dev !== parent;
        return isMounted || child.exitCode !== null ? true : undefined;
      });
      if (child.exitCode !== null) throw new Error("s3fs has ended");
    } catch (error) {
      child.kill("SIGKILL");
      throw new Error(`${name}: ${mount.#said}`, { cause: error });
    }
    return mount;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    if (this.#child.exitCode === null) {
      await runCommand("fusermount", ["-u", this.path]);
      await ended;
    }
    rmSync(this.path, { recursive: true, force: true });
  }
}

async function write(path: string): Promise<void> {
  await mkdir(join(path, "one/two"), { recursive: true });
  await writeFile(join(path, "one/two/file ü"), "content");
  await rename(join(path, "one/two/file ü"), join(path, "one/renamed"));
  await writeFile(join(path, "cut"), seededBytes("cut", 300_000));
  await truncate(join(path, "cut"), 100_001);
  await writeFile(join(path, "grown"), "head,");
  await appendFile(join(path, "grown"), "tail");
  await writeFile(join(path, "gone"), "gone");
  await rm(join(path, "gone"));
  await rename(join(path, "one"), join(path, "moved"));
  await writeFile(join(path, "large"), seededBytes("s3fs", 100 * MB));
  await rename(join(path, "large"), join(path, "large too"));
}

async function verify(path: string): Promise<void> {
  assert.deepEqual((await readdir(path)).sort(), ["cut", "grown", "large too", "moved"]);
  assert.deepEqual((await readdir(join(path, "moved"))).sort(), ["renamed", "two"]);
  assert.equal(await readFile(join(path, "moved/renamed"), "utf8"), "content");
  const cut = seededBytes("cut", 300_000).subarray(0, 100_001);
  assert.ok((await readFile(join(path, "cut"))).equals(cut));
  assert.equal(await readFile(join(path, "grown"), "utf8"), "head,tail");
  const large = sha256Hex(await readFile(join(path, "large too")));
  assert.equal(large, sha256Hex(seededBytes("s3fs", 100 * MB)));
}

for (const signature of ["sigv2", "sigv4"]) {
  rowTest(s3fs, ["A9"], `a mount over TLS, ${signature}`, async () => {
    const bucket = `s3fs-${signature}`;
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    const first = await Mount.open(bucket, `${signature}-write`, signature);
    try {
      await write(first.path);
    } finally {
      await first.close();
    }
    const second = await Mount.open(bucket, `${signature}-read`, signature);
    try {
      await verify(second.path);
    } finally {
      await second.close();
    }
  });
}
