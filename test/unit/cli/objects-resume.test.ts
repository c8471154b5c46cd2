// Transfers that are killed, cut or spoiled: the next run of the same command goes on with what is
// there, sends and fetches the rest, and the bytes are right or the command fails.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { after, before, beforeEach, test } from "node:test";
import { seededBytes, sha256Hex } from "../../support/seeded-bytes.ts";
import { CommandBench, type Ended, jsonLines, type Running } from "./objects-command.ts";
import { Relay } from "./objects-relay.ts";

const MIB = 1024 * 1024;
const SIZE = 64 * MIB;
const PART = ["--part-size", "8MiB"];
const BODY = seededBytes("resumed uploads", SIZE);
const PUT_PART = /^PUT .*[?&]partNumber=/;

let bench: CommandBench;
let relay: Relay;
let bucket = "";

before(async () => {
  bench = await CommandBench.start();
  relay = await Relay.start(bench.cluster.endpoint);
  writeFileSync(bench.path("big.bin"), BODY);
});

after(async () => {
  await relay.stop();
  await bench.stop();
});

let round = 0;
beforeEach(async () => {
  round += 1;
  bucket = `resume-${round}`;
  await bench.ok("mb", bucket);
  relay.asked.length = 0;
  relay.judge = () => "pass";
});

function throughRelay(args: readonly string[]): Running {
  return bench.start(args, { AWS_ENDPOINT_URL: relay.endpoint });
}

/** Lets so many requests that match through, holds the others, and resolves once one is held. */
function holdAfter(pattern: RegExp, passes: number): Promise<void> {
  let seen = 0;
  return new Promise((resolve) => {
    relay.judge = (asked) => {
      if (!pattern.test(asked)) return "pass";
      seen += 1;
      if (seen <= passes) return "pass";
      // Those before were answered: one lane works at one part at a time.
      resolve();
      return "hold";
    };
  });
}

async function killed({ child, ended }: Running, signal: NodeJS.Signals): Promise<Ended> {
  child.kill(signal);
  return ended;
}

test("an upload killed in the middle goes on, and sends no part twice", async () => {
  const args = ["cp", "./big.bin", `s3://${bucket}/big`, ...PART, "--part-jobs", "1", "--json"];
  const held = holdAfter(PUT_PART, 3);
  const first = throughRelay(args);
  await held;
  await killed(first, "SIGKILL");
  relay.asked.length = 0;
  relay.judge = () => "pass";
  const { code, stdout, stderr } = await throughRelay(args).ended;
  assert.equal(code, 0, stderr);
  const [copied] = jsonLines(stdout.toString());
  // The fourth part may have arrived without its answer; then it is there too.
  const resumed = Number(copied?.resumedBytes);
  assert.ok(resumed === 24 * MIB || resumed === 32 * MIB, String(resumed));
  assert.equal(relay.count(PUT_PART), (SIZE - resumed) / (8 * MIB));
  assert.equal(relay.count(/^POST .*\?uploads/), 0);
  assert.equal(sha256Hex(await bench.bytes("cat", `${bucket}/big`)), sha256Hex(BODY));
  assert.deepEqual(readdirSync(bench.path("state/dolium/transfers")), []);
});

test("a file with other bytes and the same time and size keeps no part of the first run", async () => {
  writeFileSync(bench.path("changing"), BODY.subarray(0, 3 * 8 * MIB));
  utimesSync(bench.path("changing"), 1, 1);
  const args = ["cp", "./changing", `s3://${bucket}/k`, ...PART, "--part-jobs", "1", "--json"];
  const held = holdAfter(PUT_PART, 1);
  const first = throughRelay(args);
  await held;
  await killed(first, "SIGKILL");
  const other = seededBytes("another body", 3 * 8 * MIB);
  writeFileSync(bench.path("changing"), other);
  utimesSync(bench.path("changing"), 1, 1);
  relay.judge = () => "pass";
  const { code, stdout } = await throughRelay(args).ended;
  assert.equal(code, 0);
  assert.equal(jsonLines(stdout.toString())[0]?.resumedBytes, 0);
  assert.equal(sha256Hex(await bench.bytes("cat", `${bucket}/k`)), sha256Hex(other));
});

test("Ctrl-C ends an upload at once, says how to go on, and the next run does", async () => {
  const args = ["cp", "./big.bin", `s3://${bucket}/big`, ...PART, "--part-jobs", "1", "--json"];
  const held = holdAfter(PUT_PART, 2);
  const first = throughRelay(args);
  await held;
  const { code, stdout, stderr } = await killed(first, "SIGINT");
  assert.equal(code, 1);
  assert.match(stderr, /the same command goes on/);
  assert.equal(jsonLines(stdout.toString()).at(-1)?.code, "interrupted");
  relay.judge = () => "pass";
  const again = await throughRelay(args).ended;
  assert.equal(again.code, 0);
  assert.ok(Number(jsonLines(again.stdout.toString())[0]?.resumedBytes) >= 16 * MIB);
});

test("a download killed in the middle goes on with the ranges it lacks", async () => {
  await bench.ok("cp", "./big.bin", `s3://${bucket}/big`);
  const args = ["cp", `s3://${bucket}/big`, "./fetched", ...PART, "--part-jobs", "1", "--json"];
  const held = holdAfter(/^GET /, 4);
  const first = throughRelay(args);
  await held;
  await killed(first, "SIGKILL");
  assert.equal(existsSync(bench.path("fetched")), false);
  assert.ok(existsSync(bench.path(".fetched.dolium-part")));
  relay.asked.length = 0;
  relay.judge = () => "pass";
  const { code, stdout, stderr } = await throughRelay(args).ended;
  assert.equal(code, 0, stderr);
  assert.equal(jsonLines(stdout.toString())[0]?.resumedBytes, 32 * MIB);
  assert.equal(relay.count(/^GET /), 4);
  assert.equal(sha256Hex(readFileSync(bench.path("fetched"))), sha256Hex(BODY));
  assert.equal(existsSync(bench.path(".fetched.dolium-part")), false);
});

test("an object that changed between the runs is fetched anew", async () => {
  writeFileSync(bench.path("one"), BODY.subarray(0, 24 * MIB));
  const other = seededBytes("second state", 24 * MIB);
  writeFileSync(bench.path("two"), other);
  await bench.ok("cp", "./one", `s3://${bucket}/k`);
  const args = ["cp", `s3://${bucket}/k`, "./either", ...PART, "--part-jobs", "1", "--json"];
  const held = holdAfter(/^GET /, 1);
  const first = throughRelay(args);
  await held;
  await killed(first, "SIGKILL");
  await bench.ok("cp", "./two", `s3://${bucket}/k`);
  relay.judge = () => "pass";
  const { code, stdout } = await throughRelay(args).ended;
  assert.equal(code, 0);
  assert.equal(jsonLines(stdout.toString())[0]?.resumedBytes, 0);
  assert.equal(sha256Hex(readFileSync(bench.path("either"))), sha256Hex(other));
});

test("a connection that breaks in a body is gone on with behind its last byte", async () => {
  await bench.ok("cp", "./big.bin", `s3://${bucket}/big`);
  let cut = 0;
  relay.judge = (asked) => {
    if (!asked.startsWith("GET ")) return "pass";
    cut += 1;
    return cut === 2 ? "cut" : "pass";
  };
  const { code, stderr } = await throughRelay(["cp", `s3://${bucket}/big`, "./healed", ...PART])
    .ended;
  assert.equal(code, 0, stderr);
  assert.equal(relay.count(/^GET /), 9);
  assert.equal(sha256Hex(readFileSync(bench.path("healed"))), sha256Hex(BODY));
});

test("a wrong byte on the way is found: no file, exit code 1, and to stdout too", async () => {
  writeFileSync(bench.path("small"), "exactly these bytes");
  await bench.ok("cp", "./small", `s3://${bucket}/small`);
  relay.judge = (asked) => (asked.startsWith("GET ") ? "spoil" : "pass");
  const fetched = await throughRelay(["cp", `s3://${bucket}/small`, "./spoilt", "--json"]).ended;
  assert.equal(fetched.code, 1);
  assert.equal(jsonLines(fetched.stdout.toString())[0]?.code, "corrupt");
  assert.equal(existsSync(bench.path("spoilt")), false);
  assert.equal(existsSync(bench.path(".spoilt.dolium-part")), false);
  const printed = await throughRelay(["cat", `${bucket}/small`]).ended;
  assert.equal(printed.code, 1);
  assert.match(printed.stderr, /not those that were stored/);
});

test("a stream from stdin is stored in parts, and an interrupted one leaves none", async () => {
  const args = ["cp", "-", `s3://${bucket}/piped`, "--part-size", "5MiB", "--json"];
  const input = BODY.subarray(0, 17 * MIB);
  const { code, stderr } = await bench.run(args, {}, input);
  assert.equal(code, 0, stderr);
  const printed = await bench.bytes("cp", `s3://${bucket}/piped`, "-");
  assert.equal(sha256Hex(printed), sha256Hex(input));
  const held = holdAfter(PUT_PART, 1);
  const variables = { AWS_ENDPOINT_URL: relay.endpoint };
  const running = bench.start([...args, "--part-jobs", "1"], variables, input);
  await held;
  const interrupted = await killed(running, "SIGINT");
  assert.equal(interrupted.code, 1);
  assert.equal(relay.count(/^DELETE .*uploadId=/), 1);
});

test("a second Ctrl-C does not wait for the server", async () => {
  const part = holdOn(PUT_PART);
  const ending = holdOn(/^DELETE /);
  relay.judge = (asked) => (part.meets(asked) || ending.meets(asked) ? "hold" : "pass");
  const args = ["cp", "-", `s3://${bucket}/k`, "--part-size", "5MiB"];
  const variables = { AWS_ENDPOINT_URL: relay.endpoint };
  const running = bench.start(args, variables, BODY.subarray(0, 11 * MIB));
  await part.met;
  running.child.kill("SIGINT");
  await ending.met;
  const { code } = await killed(running, "SIGINT");
  assert.equal(code, 1);
});

function holdOn(pattern: RegExp): { readonly met: Promise<void>; meets(asked: string): boolean } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const meets = (asked: string): boolean => {
    const matches = pattern.test(asked);
    if (matches) resolve();
    return matches;
  };
  return { met: promise, meets };
}
