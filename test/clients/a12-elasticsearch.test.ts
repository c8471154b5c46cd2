// An Elasticsearch snapshot repository, replayed: what its S3 blob containers send through the AWS
// SDK for Java 1 (releases 6 to 8) and 2 (release 9). Registering, snapshot, restore and deletion,
// and the parts of `_analyze`: one blob overwritten while it is read, and registers raced for by
// multipart uploads and by conditional writes.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before } from "node:test";
import type { RawResponse } from "../s3/raw-http.ts";
import { seededBytes } from "../support/seeded-bytes.ts";
import { startServer, type TestServer } from "../support/test-server.ts";
import { type JavaCall, type JavaSdk, javaSdk1, javaSdk2 } from "./java-requests.ts";
import { fields, md5Base64, query, ReplayConnection } from "./replay.ts";
import { replayed, rowTest } from "./row-test.ts";

const MIB = 1024 * 1024;
const BASE = "backups/prod";
const ACTORS = 3;
const ATTEMPTS = 25;
const REWRITES = 12;

const older = replayed("Elasticsearch 8, AWS SDK for Java 1", "1.12.797");
const newer = replayed("Elasticsearch 9, AWS SDK for Java 2", "2.31.78");
let server: TestServer;

before(async () => {
  server = await startServer();
});

after(async () => {
  await server.stop();
});

/** One thread of a node with its connection; keys are below BASE. */
class Node {
  readonly bucket: string;
  readonly #sdk: JavaSdk;
  readonly #connection: ReplayConnection;

  private constructor(bucket: string, sdk: JavaSdk, connection: ReplayConnection) {
    this.bucket = bucket;
    this.#sdk = sdk;
    this.#connection = connection;
  }

  static async open(bucket: string, sdk: JavaSdk): Promise<Node> {
    return new Node(bucket, sdk, await ReplayConnection.open(server.endpoint));
  }

  close(): void {
    this.#connection.close();
  }

  async call(call: JavaCall): Promise<RawResponse> {
    return this.#connection.send(this.#sdk(server, new URL(server.endpoint).host, call));
  }

  path(name: string): string {
    return `/${this.bucket}/${BASE}/${name}`;
  }

  async write(name: string, body: Uint8Array): Promise<void> {
    const lines = [
      ["x-amz-acl", "private"],
      ["x-amz-storage-class", "STANDARD"],
    ] as const;
    const call = { method: "PUT", target: this.path(name), lines, body, isUpload: true };
    const answer = await this.call(call);
    assert.deepEqual([answer.status, answer.interim], [200, [100]], answer.text);
    const md5 = createHash("md5").update(body).digest("hex");
    assert.equal(answer.headers.get("etag"), `"${md5}"`, "the SDK compares it");
  }

  async read(name: string, range?: string): Promise<RawResponse> {
    const lines = range === undefined ? [] : ([["Range", range]] as const);
    return this.call({ method: "GET", target: this.path(name), lines });
  }

  /** Keys or folders below BASE, as listings v1 page by page. */
  async list(prefix: string, element: "Key" | "Prefix", maxKeys = ""): Promise<string[]> {
    const found: string[] = [];
    const base = `${BASE}/${prefix}`;
    for (let marker: string | undefined = ""; marker !== undefined; ) {
      const pairs: [string, string][] = [["prefix", base]];
      if (marker !== "") pairs.push(["marker", marker]);
      pairs.push(["delimiter", "/"]);
      if (maxKeys !== "") pairs.push(["max-keys", maxKeys]);
      pairs.push(["encoding-type", "url"]);
      const answer = await this.call({ method: "GET", target: `/${this.bucket}/?${query(pairs)}` });
      assert.equal(answer.status, 200, answer.text);
      const keys = fields(answer.text, element).map(decodeURIComponent);
      found.push(...keys.filter((key) => key !== base).map((key) => key.slice(BASE.length + 1)));
      const isTruncated = fields(answer.text, "IsTruncated")[0] === "true";
      marker = isTruncated
        ? decodeURIComponent(fields(answer.text, "NextMarker")[0] ?? "")
        : undefined;
    }
    return found;
  }

  async deleteAll(names: readonly string[]): Promise<void> {
    const keys = names.map((name) => `<Object><Key>${BASE}/${name}</Key></Object>`);
    const body = Buffer.from(`<Delete><Quiet>true</Quiet>${keys.join("")}</Delete>`);
    const lines = [
      ["Content-MD5", md5Base64(body)],
      ["Content-Type", "application/xml"],
    ] as const;
    const target = `/${this.bucket}/?delete`;
    const answer = await this.call({ method: "POST", target, lines, body });
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(fields(answer.text, "Key"), [], "quiet, and nothing failed");
  }

  async startUpload(name: string): Promise<string> {
    const target = `${this.path(name)}?uploads`;
    const created = await this.call({ method: "POST", target, body: Buffer.alloc(0) });
    assert.equal(created.status, 200, created.text);
    return fields(created.text, "UploadId")[0] ?? "";
  }

  /** The part's tag; undefined when the upload is gone. */
  async part(
    name: string,
    where: readonly [string, number],
    body: Uint8Array,
  ): Promise<string | undefined> {
    const target = `${this.path(name)}?uploadId=${where[0]}&partNumber=${where[1]}`;
    const answer = await this.call({ method: "PUT", target, body, isUpload: true });
    if (answer.status === 404) return undefined;
    assert.equal(answer.status, 200, answer.text);
    return answer.headers.get("etag");
  }

  async complete(name: string, id: string, tags: readonly string[]): Promise<RawResponse> {
    const parts = tags.map(
      (tag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${tag}</ETag></Part>`,
    );
    const root = "CompleteMultipartUpload";
    const body = Buffer.from(`<${root}>${parts.join("")}</${root}>`);
    const target = `${this.path(name)}?uploadId=${id}`;
    const lines = [["Content-Type", "application/xml"]] as const;
    return this.call({ method: "POST", target, lines, body });
  }

  async uploads(name: string): Promise<string[]> {
    const asked = query([["prefix", `${BASE}/${name}`]]);
    const answer = await this.call({ method: "GET", target: `/${this.bucket}/?uploads&${asked}` });
    assert.equal(answer.status, 200, answer.text);
    return fields(answer.text, "UploadId");
  }
}

async function withNodes(
  bucket: string,
  sdk: JavaSdk,
  body: (nodes: readonly [Node, ...Node[]]) => Promise<void>,
): Promise<void> {
  const first = await Node.open(bucket, sdk);
  const others = await Promise.all(
    Array.from({ length: ACTORS - 1 }, () => Node.open(bucket, sdk)),
  );
  try {
    assert.equal((await first.call({ method: "PUT", target: `/${bucket}/` })).status, 200);
    await body([first, ...others]);
  } finally {
    for (const node of [first, ...others]) node.close();
  }
}

/** The verification that registering a repository makes every node do. */
async function register([master, ...others]: readonly [Node, ...Node[]]): Promise<void> {
  const seed = Buffer.from("Xk2pQ9w0R3yq1cZ8dT5u7A");
  await master.write(`tests-${seed}/master.dat`, seed);
  for (const [at, node] of others.entries()) {
    await node.write(`tests-${seed}/data-${at}.dat`, seed);
    assert.ok((await node.read(`tests-${seed}/master.dat`)).body.equals(seed));
  }
  const found = await master.list(`tests-${seed}/`, "Key");
  assert.deepEqual(found, [
    ...others.map((_, at) => `tests-${seed}/data-${at}.dat`),
    `tests-${seed}/master.dat`,
  ]);
  // The folder itself is among the keys to delete, and was never an object.
  await master.deleteAll([...found, `tests-${seed}/`]);
  assert.deepEqual(await master.list("", "Prefix"), []);
}

async function snapshot(node: Node): Promise<void> {
  const segments = Array.from({ length: 9 }, (_, at) => `indices/kZ9/0/__${at}`);
  for (const [at, name] of segments.entries()) {
    await node.write(name, seededBytes(name, at * 50_000));
  }
  assert.deepEqual(await node.list("indices/kZ9/0/__", "Key", "4"), segments);
  assert.deepEqual(await node.list("indices/", "Prefix"), ["indices/kZ9/"]);
  const large = [seededBytes("first", 5 * MIB), seededBytes("last", 300_001)];
  const id = await node.startUpload("indices/kZ9/0/__large");
  const tags: string[] = [];
  for (const [at, body] of large.entries()) {
    tags.push((await node.part("indices/kZ9/0/__large", [id, at + 1], body)) ?? "");
  }
  assert.equal((await node.complete("indices/kZ9/0/__large", id, tags)).status, 200);
  const whole = await node.read("indices/kZ9/0/__large");
  assert.ok(whole.body.equals(Buffer.concat(large)));
  const range = await node.read("indices/kZ9/0/__large", `bytes=${5 * MIB - 3}-${5 * MIB + 2}`);
  assert.equal(range.status, 206);
  assert.ok(range.body.equals(Buffer.concat(large).subarray(5 * MIB - 3, 5 * MIB + 3)));
  const none = await node.read("index-7");
  assert.deepEqual([none.status, fields(none.text, "Code")], [404, ["NoSuchKey"]]);
  await node.deleteAll([...segments, "indices/kZ9/0/__large", "indices/kZ9/0/"]);
  assert.deepEqual(await node.list("", "Prefix"), []);
}

/** One node overwrites a blob while the others read it: each sees one write, whole. */
async function overwrite([writer, ...readers]: readonly [Node, ...Node[]]): Promise<void> {
  const bodies = Array.from({ length: REWRITES }, (_, at) =>
    seededBytes(`blob ${at}`, 70_000 + at),
  );
  await writer.write("blob", bodies[0] ?? Buffer.alloc(0));
  let isOver = false;
  const reading = readers.map(async (node) => {
    let count = 0;
    while (!isOver || count === 0) {
      const whole = await node.read("blob");
      assert.ok(
        bodies.some((body) => whole.body.equals(body)),
        `status ${whole.status}`,
      );
      const range = await node.read("blob", "bytes=60000-60999");
      assert.ok(bodies.some((body) => range.body.equals(body.subarray(60_000, 61_000))));
      count += 1;
    }
  });
  for (const body of bodies) await writer.write("blob", body);
  isOver = true;
  await Promise.all(reading);
  assert.ok((await writer.read("blob")).body.equals(bodies.at(-1) ?? Buffer.alloc(0)));
}

type Increment = (node: Node, name: string) => Promise<boolean>;

/** All nodes count up one register; no increment that was acknowledged may be lost. */
async function race(nodes: readonly Node[], name: string, increment: Increment): Promise<void> {
  const counts = await Promise.all(
    nodes.map(async (node) => {
      let done = 0;
      for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
        if (await increment(node, name)) done += 1;
      }
      return done;
    }),
  );
  const sum = counts.reduce((total, count) => total + count, 0);
  assert.ok(sum > 0, "nobody ever won");
  const { value } = await registerOf(nodes[0], name);
  assert.equal(value, sum, `acknowledged: ${counts.join(", ")}`);
}

interface Register {
  readonly value: number;
  readonly etag: string | undefined;
}

async function registerOf(node: Node | undefined, name: string): Promise<Register> {
  const answer = await node?.read(name);
  if (answer === undefined || answer.status === 404) return { value: 0, etag: undefined };
  assert.equal(answer.status, 200, answer.text);
  return { value: Number(answer.body.readBigUInt64BE()), etag: answer.headers.get("etag") };
}

function counter(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** As up to release 9.1: abort all other uploads of the key, look, and complete one's own. */
async function incrementByUpload(node: Node, name: string): Promise<boolean> {
  const { value } = await registerOf(node, name);
  if ((await node.uploads(name)).length > 0) return false;
  const id = await node.startUpload(name);
  const tag = await node.part(name, [id, 1], counter(value + 1));
  const running = await node.uploads(name);
  if (tag === undefined || !running.includes(id)) return false;
  for (const other of running.filter((one) => one !== id)) {
    const target = `${node.path(name)}?uploadId=${other}`;
    const { status } = await node.call({ method: "DELETE", target });
    assert.ok(status === 204 || status === 404, String(status));
  }
  if ((await registerOf(node, name)).value !== value) {
    await node.call({ method: "DELETE", target: `${node.path(name)}?uploadId=${id}` });
    return false;
  }
  const done = await node.complete(name, id, [tag]);
  assert.ok(done.status === 200 || done.status === 404, done.text);
  return done.status === 200;
}

/** As newer releases do: PutObject on condition of what was read. */
async function incrementByCondition(node: Node, name: string): Promise<boolean> {
  const { value, etag } = await registerOf(node, name);
  const condition = etag === undefined ? ["If-None-Match", "*"] : ["If-Match", etag];
  const lines = [[condition[0] ?? "", condition[1] ?? ""]] as const;
  const body = counter(value + 1);
  const put = await node.call({
    method: "PUT",
    target: node.path(name),
    lines,
    body,
    isUpload: true,
  });
  assert.ok([200, 409, 412].includes(put.status), put.text);
  return put.status === 200;
}

for (const [client, sdk, bucket] of [
  [older, javaSdk1, "elastic-8"],
  [newer, javaSdk2, "elastic-9"],
] as const) {
  rowTest(client, ["A12"], "register, snapshot, restore, delete", async () => {
    await withNodes(bucket, sdk, async (nodes) => {
      await register(nodes);
      await snapshot(nodes[0]);
      const target = `/${bucket}/`;
      assert.equal((await nodes[0].call({ method: "DELETE", target })).status, 204);
    });
  });

  rowTest(client, ["A12"], "_analyze: a blob overwritten while it is read", async () => {
    await withNodes(`${bucket}-blob`, sdk, overwrite);
  });

  rowTest(client, ["A12"], "_analyze: registers raced for by multipart uploads", async () => {
    await withNodes(`${bucket}-uploads`, sdk, async (nodes) => {
      await race(nodes, "register", incrementByUpload);
      assert.deepEqual(await nodes[0].uploads("register"), []);
    });
  });
}

rowTest(newer, ["A12"], "_analyze: registers raced for by conditional writes", async () => {
  await withNodes("elastic-9-conditions", javaSdk2, async (nodes) => {
    await race(nodes, "register", incrementByCondition);
  });
});
