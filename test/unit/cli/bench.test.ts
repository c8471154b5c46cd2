// `dolium bench`: its figures, its draws, and whole runs against a gateway, which leave nothing
// behind and tell wrong bytes and failures as what they are.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { Latencies, Reasons, Tally } from "../../../services/cli/bench/figures.ts";
import { perform, type Target, WrongAnswer } from "../../../services/cli/bench/operations.ts";
import { runWorkload } from "../../../services/cli/bench/run.ts";
import { Bodies, drawn, KeyPool, parseMix } from "../../../services/cli/bench/workload.ts";
import { seededBytes } from "../../support/seeded-bytes.ts";
import { CommandBench } from "./objects-command.ts";

let bench: CommandBench;

before(async () => {
  bench = await CommandBench.start();
});

after(() => bench?.stop());

test("percentiles are at most a hundredth above the truth and never below it", () => {
  const latencies = new Latencies();
  assert.equal(latencies.percentileMs(0.5), 0);
  const times = Array.from({ length: 1000 }, (_, at) => (at + 1) * 0.37);
  for (const ms of times) latencies.add(ms);
  for (const share of [0.001, 0.5, 0.9, 0.99, 1]) {
    const exact = times[Math.ceil(share * 1000) - 1] ?? 0;
    const told = latencies.percentileMs(share);
    assert.ok(told >= exact - 1e-9 && told <= exact * 1.0101, `${share}: ${told} for ${exact}`);
  }
  assert.equal(latencies.percentileMs(1), 370);
});

test("rates count what succeeded; failures and repeats are counted by themselves", () => {
  const tally = new Tally("get");
  for (let at = 0; at < 10; at += 1) tally.done({ ms: 5, bytes: 100, retries: 1 });
  tally.failed();
  const { count, errors, retries, operationsPerSecond, bytesPerSecond } = tally.figures(2);
  assert.deepEqual([count, errors, retries], [10, 1, 10]);
  assert.deepEqual([operationsPerSecond, bytesPerSecond], [5, 500]);
  const reasons = new Reasons();
  for (let at = 0; at < 30; at += 1) reasons.add(`reason ${at}`);
  reasons.add("reason 3");
  assert.equal(reasons.list().length, 21);
  assert.deepEqual(reasons.list()[0], { reason: "other reasons", count: 10 });
});

test("shares are drawn by their ratio, and mixes that make no sense are refused", () => {
  const mix = parseMix("get=1, put=2,list=0,delete=1");
  const draws = [0, 0.24, 0.25, 0.74, 0.75, 0.999].map((chance) => drawn(mix, chance));
  assert.deepEqual(draws, ["get", "get", "put", "put", "delete", "delete"]);
  for (const text of ["", "get", "get=0", "get=1,get=2", "copy=1", "get=-1"]) {
    assert.throws(() => parseMix(text), /--mix/, text);
  }
});

test("a key that is read is not taken, and one that is taken is gone", () => {
  const pool = new KeyPool();
  for (const key of ["a", "b", "c"]) pool.add(key);
  assert.equal(pool.borrow(0), "a");
  assert.equal(pool.borrow(0.1), "a");
  assert.equal(pool.take(0), "b");
  pool.release("a");
  assert.equal(pool.take(0.9), "c");
  assert.equal(pool.take(0), undefined, "the other reader is there");
  pool.release("a");
  assert.equal(pool.take(0), "a");
  assert.deepEqual([pool.size, pool.borrow(0)], [0, undefined]);
});

/** What is there below a prefix of the bucket. */
async function namesIn(bucket: string): Promise<unknown[]> {
  return (await bench.lines("ls", "-r", `s3://${bucket}`)).map(({ key }) => key);
}

test("mixed work in a bucket of its own leaves neither objects nor bucket", async () => {
  const args = ["--operations", "150", "--size", "20KiB", "--objects", "20", "--concurrency", "4"];
  const [result = {}] = await bench.lines("bench", "mixed", ...args);
  assert.equal(result.ok, true, JSON.stringify(result));
  const { count, errors, p50Ms, p99Ms } = Object(result.total);
  assert.deepEqual([count, errors], [150, 0]);
  assert.ok(p50Ms > 0 && p99Ms >= p50Ms);
  assert.ok(Array.isArray(result.operations) && result.operations.length >= 4);
  assert.deepEqual(await bench.lines("ls"), []);
});

test("what was in the bucket stays, versions of what was made go", async () => {
  await bench.ok("mb", "shared", "--versioning");
  await bench.run(["cp", "-", "s3://shared/mine"], {}, Buffer.from("mine"));
  const where = ["s3://shared/below", "--operations", "30", "--size", "1KiB", "--objects", "10"];
  const words = await bench.ok("bench", "delete", ...where);
  assert.match(words, /delete +10 +0 /);
  assert.match(words, /nothing was left/);
  const timed = ["list", "s3://shared", "--duration", "1s", "--size", "1KiB", "--objects", "5"];
  assert.match(await bench.ok("bench", ...timed), /list +[1-9][0-9]* +0 /);
  assert.deepEqual(await namesIn("shared"), ["mine"]);
  assert.equal((await bench.lines("ls", "--versions", "-r", "s3://shared")).length, 1);
});

test("wrong bytes are failures, and so is what is missing", async () => {
  await bench.ok("mb", "wrong");
  const { endpoint, accessKeyId, secretAccessKey, region } = bench.cluster;
  const credentials = { accessKeyId, secretAccessKey };
  const s3 = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  const bodies = new Bodies(1000, seededBytes("bench", Bodies.sourceBytes(1000)));
  const pool = new KeyPool();
  // Of the context only these two are used.
  const context = { s3, signal: new AbortController().signal } as unknown as Target["context"];
  const target = { context, bucket: "wrong", prefix: "", bodies, pool, nextKey: () => "next" };
  const put = async (Key: string, Body: Uint8Array): Promise<void> => {
    await s3.send(new PutObjectCommand({ Bucket: "wrong", Key, Body }));
    pool.add(Key);
  };
  try {
    await put("right", bodies.of("right"));
    assert.deepEqual(await perform("get", target, 0), { bytes: 1000, attempts: 1 });
    assert.equal(pool.take(0), "right");
    await put("other", bodies.of("right"));
    await assert.rejects(perform("get", target, 0), WrongAnswer);
    await perform("stat", target, 0);
    pool.take(0);
    await put("short", bodies.of("short").subarray(1));
    await assert.rejects(perform("stat", target, 0), WrongAnswer);
    await assert.rejects(perform("get", target, 0), WrongAnswer);
    pool.take(0);
    pool.add("lost");
    await assert.rejects(perform("list", target, 0), WrongAnswer);
    const plan = { concurrency: 2, durationMs: undefined, operations: 6 };
    const result = await runWorkload(target, { ...plan, mix: parseMix("get=1") });
    assert.deepEqual([result.total.count, result.total.errors, result.wrong], [0, 6, 0]);
    assert.match(result.reasons[0]?.reason ?? "", /^NoSuchKey: /);
    assert.equal(result.reasons[0]?.count, 6);
  } finally {
    s3.destroy();
  }
});

test("a call that makes no sense is refused, a server that is not there is told", async () => {
  assert.equal((await bench.run(["bench", "copy"])).code, 2);
  assert.equal((await bench.run(["bench", "--duration", "1s", "--operations", "3"])).code, 2);
  const nowhere = await bench.run(["bench", "put", "s3://not-there", "--operations", "3"]);
  assert.equal(nowhere.code, 3);
});
