// The S3 port as HTTP sees it: broken requests, 100-continue, cut bodies, slow clients, health,
// limits.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { Caller, headBytes, pathOf, toAnswer } from "../../s3/caller.ts";
import { makeBucket } from "../../s3/harness.ts";
import { RawConnection, sendRaw } from "../../s3/raw-http.ts";
import { type MemoryGateway, ROOT_USER, startMemoryGateway } from "./memory-gateway.ts";

let gateway: MemoryGateway;
let endpoint: string;
let s3: Caller;
let bucket: string;

function callerOf(address: string): Caller {
  const { accessKeyId, secret } = ROOT_USER;
  return new Caller({
    endpoint: `http://${address}`,
    accessKeyId,
    secretAccessKey: secret,
    region: "us-east-1",
  });
}

before(async () => {
  gateway = await startMemoryGateway({ domains: ["s3.test"], idleTimeoutMs: 400 });
  endpoint = `http://${gateway.running.address}`;
  s3 = callerOf(gateway.running.address);
  bucket = await makeBucket(s3);
});
after(() => gateway.stop());

async function notThere(key: string): Promise<void> {
  assert.equal((await s3.get(bucket, key)).status, 404, `${key} must not be visible`);
}

test("asks for the body only after the head was checked", async () => {
  const body = randomBytes(50_000);
  const headers = [["Expect", "100-continue"]] as const;
  const call = { method: "PUT", target: pathOf(bucket, "continue"), headers, body };
  const bytes = s3.requestBytes(call);
  const connection = await RawConnection.open(endpoint);
  connection.write(bytes.subarray(0, bytes.byteLength - body.byteLength));
  const response = connection.response();
  connection.write(body);
  assert.deepEqual((await response)?.interim, [100]);
  assert.equal((await response)?.status, 200);
  connection.close();
  for (const [lie, status] of [
    [{ sign: false }, 403],
    [{ target: "/no-such-bucket-here/key" }, 404],
    [{ target: `${call.target}?torrent` }, 501],
  ] as const) {
    const refused = s3.requestBytes({ ...call, ...lie });
    const waiting = await RawConnection.open(endpoint);
    waiting.write(refused.subarray(0, refused.byteLength - body.byteLength));
    const answer = await waiting.response();
    assert.equal(answer?.status, status);
    assert.deepEqual(answer?.interim, []);
    assert.equal(await waiting.isClosedByServer(), true);
    waiting.close();
  }
});

test("keeps a connection open between requests", async () => {
  const connection = await RawConnection.open(endpoint);
  for (const key of ["first", "second"]) {
    const call = { method: "PUT", target: pathOf(bucket, key), body: randomBytes(20_000) };
    connection.write(s3.requestBytes(call));
    const put = await connection.response();
    assert.equal(put?.status, 200);
    assert.deepEqual(put?.interim, [], "nobody asked for an interim answer");
    connection.write(s3.requestBytes({ target: call.target }));
    assert.deepEqual((await connection.response())?.body, call.body);
  }
  connection.write(s3.requestBytes({ target: pathOf(bucket, "missing") }));
  assert.equal((await connection.response())?.status, 404);
  connection.write(s3.requestBytes({ target: pathOf(bucket, "first") }));
  assert.equal((await connection.response())?.status, 200);
  connection.close();
});

for (const size of [10_000, 200_000]) {
  test(`a body of ${size} bytes that is cut anywhere leaves nothing`, async () => {
    const body = randomBytes(size);
    const target = pathOf(bucket, `cut-${size}`);
    const bytes = s3.requestBytes({ method: "PUT", target, body });
    const headSize = bytes.byteLength - size;
    for (const kept of [0, 1, Math.floor(size / 2), size - 1]) {
      const connection = await RawConnection.open(endpoint);
      connection.write(bytes.subarray(0, headSize + kept));
      connection.socket.end();
      const answer = await connection.response();
      if (answer !== undefined) {
        assert.equal(answer.status, 400);
        assert.equal(toAnswer(answer).code, "IncompleteBody");
      }
      connection.close();
      await notThere(`cut-${size}`);
    }
  });
}

test("a client that resets in the middle of its body changes nothing", async () => {
  await s3.put(bucket, "reset", "old");
  const body = randomBytes(300_000);
  const bytes = s3.requestBytes({ method: "PUT", target: pathOf(bucket, "reset"), body });
  const served = gateway.log.nextRequest("reset");
  const connection = await RawConnection.open(endpoint);
  connection.write(bytes.subarray(0, 200_000));
  await new Promise((resolve) => connection.socket.write("", resolve));
  connection.socket.resetAndDestroy();
  assert.equal((await served).fields.isDisconnected, true);
  assert.equal((await s3.get(bucket, "reset")).text, "old");
});

test("cuts a body that stops arriving, with an answer", async () => {
  const body = randomBytes(50_000);
  const bytes = s3.requestBytes({ method: "PUT", target: pathOf(bucket, "stalled"), body });
  const connection = await RawConnection.open(endpoint);
  connection.write(bytes.subarray(0, bytes.byteLength - 1));
  const answer = await connection.response();
  assert.equal(answer?.status, 400);
  assert.equal(answer === undefined ? "" : toAnswer(answer).code, "RequestTimeout");
  assert.equal(await connection.isClosedByServer(), true);
  connection.close();
  await notThere("stalled");
});

test("cuts a client that does not read, and stops reading shards for it", async () => {
  const size = 24 * 1024 * 1024;
  await s3.put(bucket, "large", Buffer.alloc(size, "x"));
  const cancelled = gateway.bodies.cancelledReads;
  const served = gateway.log.nextRequest("large");
  const connection = await RawConnection.open(endpoint);
  connection.socket.pause();
  connection.write(s3.requestBytes({ target: pathOf(bucket, "large") }));
  await served;
  assert.equal(gateway.bodies.cancelledReads, cancelled + 1);
  connection.socket.resume();
  const answer = await connection.response();
  assert.equal(answer?.isWhole ?? false, false);
  connection.close();
});

test("a failure in the middle of a body cuts the connection, never a short 200", async () => {
  const body = randomBytes(400_000);
  await s3.put(bucket, "rotten", body);
  gateway.bodies.readFault = (offset) => {
    if (offset >= 200_000) throw new Error("a shard is gone");
  };
  try {
    const connection = await RawConnection.open(endpoint);
    connection.write(s3.requestBytes({ target: pathOf(bucket, "rotten") }));
    const answer = await connection.response();
    assert.equal(answer?.status, 200);
    assert.equal(answer?.headers.get("content-length"), "400000");
    assert.equal(answer?.isWhole, false);
    assert.deepEqual(answer?.body, body.subarray(0, answer?.body.byteLength));
    connection.close();
  } finally {
    gateway.bodies.readFault = () => undefined;
  }
  assert.ok(gateway.log.lines.some(({ message }) => message === "an answer broke off"));
});

test("refuses what HTTP must not be", async () => {
  const host = new URL(endpoint).host;
  const cases: readonly (readonly [string, number])[] = [
    [`GET / HTTP/1.1\r\nHost: ${host}\r\nHost: other\r\n\r\n`, 400],
    [`GET /b/k HTTP/1.1\r\nHost: a b\r\n\r\n`, 400],
    [`PUT /b/k HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx`, 400],
    [`PUT /b/k HTTP/1.1\r\nHost: ${host}\r\nContent-Length: +3\r\n\r\nxxx`, 400],
    [
      `PUT /b/k HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    [`GET /b/%zz HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 400],
    [`GET /b/%ff HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 400],
    [`GET //key HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 400],
    [`NONSENSE / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 400],
    [`GET http://other.test/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 400],
    [`GET / HTTP/1.1\r\nHost: ${host}\r\nx-long: ${"a".repeat(40_000)}\r\n\r\n`, 400],
  ];
  for (const [bytes, status] of cases) {
    const answer = await sendRaw(endpoint, bytes);
    assert.equal(answer.status, status, bytes.slice(0, 80));
    assert.match(answer.text, /^<\?xml[^>]*>\s*<Error><Code>/, bytes.slice(0, 80));
    assert.ok(answer.headers.get("x-amz-request-id"));
  }
});

test("understands absolute-form targets and hosts of buckets", async () => {
  await s3.put(bucket, "dir/key", "by host");
  const host = `${bucket}.s3.test`;
  const call = { target: "/dir/key", host };
  assert.equal((await s3.call(call)).text, "by host");
  const bytes = s3.requestBytes(call).toString("latin1");
  const absolute = bytes.replace("GET /dir/key", `GET http://${host}/dir/key`);
  assert.equal((await sendRaw(endpoint, absolute)).text, "by host");
  assert.equal((await s3.call({ target: "/", host: "s3.test" })).status, 200);
});

test("a gateway that leaves serves on, and every answer ends its connection", async () => {
  const leaving = await startMemoryGateway();
  try {
    const { address } = leaving.running;
    const caller = callerOf(address);
    const connection = await RawConnection.open(`http://${address}`);
    const get = caller.requestBytes({ target: "/" });
    connection.write(get);
    assert.notEqual((await connection.response())?.headers.get("connection"), "close");
    leaving.running.leave();
    connection.write(get);
    const last = await connection.response();
    assert.deepEqual([last?.status, last?.headers.get("connection")], [200, "close"]);
    assert.equal(await connection.isClosedByServer(), true);
    connection.close();
    const headers = [["Expect", "100-continue"]] as const;
    const put = caller.requestBytes({ method: "PUT", target: "/bucket", headers });
    const made = await sendRaw(`http://${address}`, put);
    assert.deepEqual([made.status, made.headers.get("connection")], [200, "close"]);
  } finally {
    await leaving.stop();
  }
});

test("says by MinIO's path whether it may be taken down", async () => {
  const ask = async (query: string): Promise<number> => {
    const head = headBytes("GET", `/minio/health/cluster${query}`, [["Host", "x"]]);
    return (await sendRaw(endpoint, head)).status;
  };
  assert.equal(await ask("?maintenance=true"), 200);
  gateway.state.mayStop = false;
  try {
    assert.equal(await ask("?maintenance=true"), 412);
    assert.equal(await ask("?maintenance=false"), 200);
    assert.equal(await ask(""), 200);
  } finally {
    gateway.state.mayStop = true;
  }
});

test("answers unsigned health paths, and leaves a bucket named minio possible", async () => {
  const ask = (path: string, method = "GET"): ReturnType<typeof sendRaw> =>
    sendRaw(endpoint, headBytes(method, path, [["Host", "x"]]), method === "HEAD");
  for (const path of ["/minio/health/live", "/minio/health/ready", "/minio/health/cluster"]) {
    assert.equal((await ask(path)).status, 200, path);
    assert.equal((await ask(path, "HEAD")).status, 200, path);
  }
  gateway.state.ready = false;
  try {
    assert.equal((await ask("/minio/health/live")).status, 200);
    assert.equal((await ask("/minio/health/ready")).status, 503);
    assert.equal((await ask("/minio/health/cluster/read")).status, 503);
    assert.equal((await ask("/minio/health/cluster?maintenance=true")).status, 412);
  } finally {
    gateway.state.ready = true;
  }
  assert.equal((await ask("/minio/health/live", "PUT")).status, 404);
  assert.equal((await ask("/minio/other")).status, 404);
  assert.equal((await s3.call({ method: "PUT", target: "/minio" })).status, 200);
  assert.equal((await s3.put("minio", "health/live", "an object")).status, 200);
  assert.equal((await s3.get("minio", "health/live")).text, "an object");
});

test("HEAD never has a body, whatever goes wrong", async () => {
  for (const [path, status] of [
    [pathOf(bucket, "missing"), 404],
    ["/no-such-bucket-here", 404],
    [`/${bucket}?accelerate`, 501],
    ["/b/%zz", 400],
  ] as const) {
    const connection = await RawConnection.open(endpoint);
    const bytes = headBytes("HEAD", path, [["Host", "x"]]);
    connection.write(path === "/b/%zz" ? bytes : s3.requestBytes({ method: "HEAD", target: path }));
    const answer = await connection.response(true);
    assert.equal(answer?.status, status, path);
    connection.socket.end();
    assert.equal(await connection.isClosedByServer(), true, `${path}: bytes after the head`);
    connection.close();
  }
});

test("says one line of log and counts one request for each", async () => {
  const { lines } = gateway.log;
  lines.length = 0;
  await s3.put(bucket, "logged", "x");
  await s3.get(bucket, "not there");
  const requests = lines.filter(({ message }) => message === "request");
  assert.equal(requests.length, 2);
  const [put, get] = requests;
  assert.equal(put?.fields.operation, "PutObject");
  assert.equal(put?.fields.status, 200);
  assert.equal(put?.fields.key, "logged");
  assert.equal(put?.fields.accessKeyId, ROOT_USER.accessKeyId);
  assert.equal(get?.fields.errorCode, "NoSuchKey");
  assert.ok(!JSON.stringify(lines).includes(ROOT_USER.secret));
  const { values } = gateway.metrics;
  assert.ok((values.get('s3_requests_total{operation="PutObject",code="200"}') ?? 0) > 0);
  assert.ok((values.get('s3_errors_total{operation="GetObject",error_code="NoSuchKey"}') ?? 0) > 0);
  assert.equal(values.get("s3_requests_in_flight"), 0);
});

test("switched off, it says so to every request", async () => {
  const off = await startMemoryGateway({ enabled: false });
  try {
    const answer = await callerOf(off.running.address).call({ target: "/" });
    assert.equal(answer.status, 503);
    assert.equal(answer.code, "ServiceUnavailable");
    const live = headBytes("GET", "/minio/health/live", [["Host", "x"]]);
    assert.equal((await sendRaw(`http://${off.running.address}`, live)).status, 200);
  } finally {
    await off.stop();
  }
});

test("past its limit of requests it says SlowDown", async () => {
  const busy = await startMemoryGateway({ requestsMax: 1, idleTimeoutMs: 5000 });
  try {
    const caller = callerOf(busy.running.address);
    const own = await makeBucket(caller);
    const bytes = caller.requestBytes({ method: "PUT", target: pathOf(own, "k"), body: "xy" });
    const waiting = await RawConnection.open(`http://${busy.running.address}`);
    const isServed = busy.metrics.nextValue("s3_requests_in_flight", 1);
    waiting.write(bytes.subarray(0, bytes.byteLength - 1));
    await isServed;
    const refused = await caller.call({ target: "/" });
    assert.equal(refused.status, 503);
    assert.equal(refused.code, "SlowDown");
    waiting.write(bytes.subarray(bytes.byteLength - 1));
    assert.equal((await waiting.response())?.status, 200);
    waiting.close();
  } finally {
    await busy.stop();
  }
});
