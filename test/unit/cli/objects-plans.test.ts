// How bodies are cut and joined, how two sides are merged, how failures and endpoints are read, how
// bars are drawn: the parts of the object verbs that need no server.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { UsageError } from "../../../services/cli/command-line.ts";
import { CommandError, ExitCode } from "../../../services/cli/exit-code.ts";
import { parseSections, readProfile } from "../../../services/cli/objects/aws-profile.ts";
import {
  bufferChecksum,
  CARRIED,
  parseAlgorithm,
  wholeChecksum,
} from "../../../services/cli/objects/checksum-kinds.ts";
import { planConnection } from "../../../services/cli/objects/connection.ts";
import { asCommandError, codeOf, isPassing } from "../../../services/cli/objects/failure.ts";
import { readAhead, runLanes } from "../../../services/cli/objects/lanes.ts";
import { compareKeys } from "../../../services/cli/objects/listing.ts";
import {
  checkPartBytes,
  PARTS_MAX,
  partBytesFor,
  partRanges,
  streamPartBytes,
} from "../../../services/cli/objects/part-plan.ts";
import { boundsOf } from "../../../services/cli/objects/print-object.ts";
import { barLine } from "../../../services/cli/objects/progress.ts";
import { presignedGet, uploadForm } from "../../../services/cli/objects/share-link.ts";
import { storeSettings } from "../../../services/cli/objects/store-settings.ts";
import { isUpToDate, type SyncEntry, syncSteps } from "../../../services/cli/objects/sync-plan.ts";
import { TransferState } from "../../../services/cli/objects/transfer-state.ts";
import { cutStream } from "../../../services/cli/objects/upload-stream.ts";
import { loadChecksums } from "../../../services/lib/s3/checksums.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const MIB = 1024 * 1024;

test("parts cover a body once, in order, and never number more than 10,000", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5 * 1024 ** 4 }), (size) => {
      const partBytes = partBytesFor(size, 8 * MIB);
      const ranges = partRanges(size, partBytes);
      assert.ok(ranges.length <= PARTS_MAX && ranges.length >= 1);
      let offset = 0;
      for (const [at, range] of ranges.entries()) {
        assert.deepEqual([range.number, range.offset], [at + 1, offset]);
        offset += range.bytes;
      }
      assert.equal(offset, size);
    }),
    { numRuns: 50 },
  );
  assert.throws(() => checkPartBytes(5 * MIB - 1), UsageError);
  let reach = 0;
  for (let number = 1; number <= PARTS_MAX; number += 1) reach += streamPartBytes(number, 8 * MIB);
  assert.ok(reach > 5 * 1024 ** 4, "a stream may be as long as an object");
});

test("a stream is cut at part sizes, whatever pieces it comes in", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 }),
      async (pieces) => {
        async function* input(): AsyncGenerator<Uint8Array> {
          yield* pieces;
        }
        const blocks: Buffer[] = [];
        for await (const block of cutStream(input(), 16)) blocks.push(block);
        assert.deepEqual(Buffer.concat(blocks), Buffer.concat(pieces));
        assert.ok(blocks.slice(0, -1).every((block) => block.byteLength === 16));
        assert.ok(blocks.every((block) => block.byteLength > 0));
      },
    ),
  );
});

test("the checksum of the whole follows from those of its parts", async () => {
  const factory = await loadChecksums();
  const body = Buffer.from("the quick brown fox jumps over the lazy dog");
  const parts = [body.subarray(0, 10), body.subarray(10, 30), body.subarray(30)];
  for (const algorithm of CARRIED) {
    const checked = parts.map((part) => ({
      checksum: bufferChecksum(factory, algorithm, part),
      bytes: part.byteLength,
    }));
    const whole = wholeChecksum(factory, checked);
    if (algorithm.startsWith("CRC")) {
      assert.equal(whole.value, bufferChecksum(factory, algorithm, body).value);
    } else {
      const hash = createHash(algorithm.toLowerCase());
      for (const { checksum } of checked) hash.update(Buffer.from(checksum.value, "base64"));
      assert.equal(whole.value, `${hash.digest("base64")}-3`);
    }
  }
  assert.equal(parseAlgorithm(undefined), "CRC64NVME");
  assert.equal(parseAlgorithm("none"), undefined);
  assert.equal(parseAlgorithm("sha256"), "SHA256");
  assert.throws(() => parseAlgorithm("md4"), UsageError);
});

function entry(name: string): SyncEntry {
  return { name, bytes: 1, modifiedMs: 0, etag: undefined, place: name };
}

async function* entries(names: readonly string[]): AsyncGenerator<SyncEntry> {
  yield* names.map(entry);
}

async function drained(steps: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _step of steps) count += 1;
  return count;
}

test("merging two sides tells what is new, on both and extra, as sets do", async () => {
  const names = fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1, maxLength: 3 }));
  await fc.assert(
    fc.asyncProperty(names, names, async (left, right) => {
      const seen: Record<string, string[]> = { new: [], both: [], extra: [] };
      const [first, second] = [left.toSorted(compareKeys), right.toSorted(compareKeys)];
      for await (const step of syncSteps(entries(first), entries(second))) {
        seen[step.kind]?.push(step.kind === "extra" ? step.target.name : step.source.name);
      }
      assert.deepEqual(
        seen.new,
        first.filter((name) => !right.includes(name)),
      );
      assert.deepEqual(
        seen.both,
        first.filter((name) => right.includes(name)),
      );
      assert.deepEqual(
        seen.extra,
        second.filter((name) => !left.includes(name)),
      );
    }),
  );
});

test("a side that is out of order is refused: things would look missing", async () => {
  const steps = syncSteps(entries(["b", "a"]), entries([]));
  await assert.rejects(drained(steps), /not listed in order/);
  const twice = syncSteps(entries([]), entries(["a", "a"]));
  await assert.rejects(drained(twice), /not listed in order/);
});

test("file times must be equal; the time of storing must not be older", () => {
  assert.equal(isUpToDate({ sourceMs: 5, targetMs: 5.4, exact: true }), true);
  assert.equal(isUpToDate({ sourceMs: 5, targetMs: 9, exact: true }), false);
  assert.equal(isUpToDate({ sourceMs: 5, targetMs: 9, exact: false }), true);
  assert.equal(isUpToDate({ sourceMs: 9, targetMs: 5, exact: false }), false);
  assert.equal(isUpToDate({ sourceMs: undefined, targetMs: 5, exact: false }), false);
});

test("failures have the exit codes that scripts go by", () => {
  const s3 = (name: string, httpStatusCode: number, message = "said so") =>
    Object.assign(new Error(message), { name, $metadata: { httpStatusCode } });
  const system = (code: string) => Object.assign(new Error(code), { code });
  const cases: readonly (readonly [unknown, ExitCode, string])[] = [
    [s3("NoSuchKey", 404), ExitCode.NOT_FOUND, "NoSuchKey"],
    [s3("UnknownError", 404, "UnknownError"), ExitCode.NOT_FOUND, "NotFound"],
    [s3("403", 403, "UnknownError"), ExitCode.DENIED, "AccessDenied"],
    [s3("SignatureDoesNotMatch", 403), ExitCode.DENIED, "SignatureDoesNotMatch"],
    [s3("SlowDown", 503), ExitCode.UNAVAILABLE, "SlowDown"],
    [s3("InternalError", 500), ExitCode.UNAVAILABLE, "InternalError"],
    [s3("PreconditionFailed", 412), ExitCode.FAILED, "PreconditionFailed"],
    [s3("InvalidArgument", 400), ExitCode.FAILED, "InvalidArgument"],
    [system("ECONNREFUSED"), ExitCode.UNAVAILABLE, "unavailable"],
    [new AggregateError([system("ECONNREFUSED")]), ExitCode.UNAVAILABLE, "unavailable"],
    [system("ENOENT"), ExitCode.NOT_FOUND, "not-found"],
    [system("EACCES"), ExitCode.DENIED, "denied"],
    [system("ENOSPC"), ExitCode.FAILED, "ENOSPC"],
    ["thrown text", ExitCode.FAILED, "failed"],
  ];
  for (const [thrown, exitCode, code] of cases) {
    const error = asCommandError(thrown, "s3://b/k\u001b");
    assert.ok(error instanceof CommandError);
    assert.deepEqual([error.exitCode, error.code], [exitCode, code], String(thrown));
    assert.ok(error.message.startsWith("s3://b/k\\x1b: "));
  }
  assert.equal(codeOf(s3("NoSuchUpload", 404)), "NoSuchUpload");
  assert.deepEqual([s3("SlowDown", 503), s3("NoSuchKey", 404)].map(isPassing), [true, false]);
  const own = new UsageError("mine");
  assert.equal(asCommandError(own, "x"), own);
});

const CONFIG = `
[default]
region = eu-west-1
[profile lab]   # a comment
region=us-east-2
endpoint_url = https://plain.example
services = lab-services
s3 =
  addressing_style = virtual
; another
[services lab-services]
s3 =
  endpoint_url = https://s3.example:9000
nonsense
`;

test("profiles tell region, endpoint and addressing", () => {
  const lab = readProfile(CONFIG, "[lab]\naws_access_key_id = x\n", "lab");
  assert.deepEqual(lab, {
    region: "us-east-2",
    endpoint: "https://s3.example:9000",
    addressing: "virtual",
    known: true,
  });
  assert.equal(readProfile(CONFIG, "", "default").region, "eu-west-1");
  assert.equal(readProfile(CONFIG, "", "absent").known, false);
  assert.equal(readProfile("", "[keys]\naws_access_key_id = x", "keys").known, true);
  assert.equal(parseSections("").size, 0);
});

test("endpoint and keys: options, then environment, then profile, then the local cluster", (t) => {
  const folder = temporaryFolder("dolium-plans-");
  t.after(() => folder.remove());
  const none = { AWS_CONFIG_FILE: "/dev/null", AWS_SHARED_CREDENTIALS_FILE: "/dev/null" };
  const config = join(folder.path, "config");
  writeFileSync(config, CONFIG);
  const withProfiles = { ...none, AWS_CONFIG_FILE: config };
  const profile = planConnection({ profile: "lab" }, withProfiles);
  assert.deepEqual(
    [profile.endpoint, profile.region, profile.pathStyle],
    ["https://s3.example:9000", "us-east-2", false],
  );
  const both = { ...withProfiles, AWS_PROFILE: "lab", AWS_ENDPOINT_URL: "http://one/" };
  assert.equal(planConnection({}, both).endpoint, "http://one");
  const s3 = { ...both, AWS_ENDPOINT_URL_S3: "http://two" };
  assert.equal(planConnection({}, s3).endpoint, "http://two");
  assert.equal(planConnection({ endpoint: "http://three" }, s3).endpoint, "http://three");
  assert.throws(() => planConnection({ profile: "absent" }, withProfiles), UsageError);
  assert.throws(() => planConnection({ endpoint: "ftp://x" }, none), UsageError);
  const servers = { ...none, DOLIUM_DATA: folder.path };
  assert.throws(() => planConnection({}, servers), UsageError);
  // The image has the variable for its servers.
  const abroad = planConnection({ endpoint: "http://four" }, servers);
  assert.deepEqual([abroad.endpoint, abroad.keys], ["http://four", undefined]);
  const byVariable = planConnection({}, { ...servers, AWS_ENDPOINT_URL: "http://five" });
  assert.equal(byVariable.endpoint, "http://five");

  const data = join(folder.path, "data");
  mkdirSync(data);
  const plan = { clusterId: "c", disksPerNode: 1, s3Port: 4321, processes: [] };
  writeFileSync(join(data, "cluster.json"), JSON.stringify(plan));
  const keys = { accessKeyId: "LOCALKEY", secretAccessKey: "localsecret" };
  writeFileSync(join(data, "root-credentials.json"), JSON.stringify(keys));
  const local = planConnection({}, { ...none, DOLIUM_DATA: data });
  assert.deepEqual(
    [local.endpoint, local.keys?.accessKeyId],
    ["http://127.0.0.1:4321", "LOCALKEY"],
  );
  const withDefault = planConnection({}, { ...withProfiles, DOLIUM_DATA: data });
  assert.equal(withDefault.keys?.accessKeyId, "LOCALKEY", "a default profile is for elsewhere");
  const own = planConnection({}, { ...none, DOLIUM_DATA: data, AWS_ACCESS_KEY_ID: "mine" });
  assert.deepEqual([own.endpoint, own.keys], ["http://127.0.0.1:4321", undefined]);
  const elsewhere = { ...none, DOLIUM_DATA: data, AWS_ENDPOINT_URL: "https://elsewhere.example" };
  assert.equal(planConnection({}, elsewhere).keys, undefined, "local keys stay at home");
});

test("options of what is stored are checked before anything is sent", (t) => {
  const folder = temporaryFolder("dolium-plans-");
  t.after(() => folder.remove());
  const key = join(folder.path, "key");
  writeFileSync(key, Buffer.alloc(32, 1));
  const short = join(folder.path, "short");
  writeFileSync(short, "abc");
  const set = storeSettings({ "sse-c-key": key, tags: ["a b=c&d"], metadata: ["x=1"] });
  assert.equal(set.fields.SSECustomerKey, Buffer.alloc(32, 1).toString("base64"));
  assert.equal(set.fields.Tagging, "a+b=c%26d");
  for (const wrong of [
    { sse: "rot13" },
    { sse: "AES256", "sse-c-key": key },
    { "sse-kms-key-id": "k" },
    { "sse-c-key": short },
    { "sse-c-key": join(folder.path, "absent") },
    { metadata: ["a b=c"] },
    { "storage-class": "a\r\nb" },
    { algorithm: "CRC16" },
  ]) {
    assert.throws(() => storeSettings(wrong), UsageError, JSON.stringify(wrong));
  }
});

test("a kept transfer is found again only when every fact is the same", (t) => {
  const folder = temporaryFolder("dolium-plans-");
  t.after(() => folder.remove());
  const state = new TransferState(folder.path, ["upload", "a"]);
  assert.equal(state.read({}), undefined);
  state.write({ size: 5, uploadId: "u" });
  assert.equal(state.read({ size: 5 })?.uploadId, "u");
  assert.equal(state.read({ size: 6 }), undefined);
  assert.equal(new TransferState(folder.path, ["upload", "b"]).read({}), undefined);
  state.remove();
  assert.equal(state.read({ size: 5 }), undefined);
});

test("work runs so wide and no wider, and the first failure ends it", async () => {
  let running = 0;
  let widest = 0;
  const done: number[] = [];
  const turns = Array.from({ length: 20 }, (_, at) => at);
  await runLanes(turns, 3, async (at) => {
    running += 1;
    widest = Math.max(widest, running);
    await setImmediate();
    running -= 1;
    done.push(at);
  });
  assert.equal(done.length, 20);
  assert.equal(widest, 3);
  const begun: number[] = [];
  const failing = runLanes(turns, 2, async (at) => {
    begun.push(at);
    if (at === 4) throw new Error("four");
  });
  await assert.rejects(failing, /four/);
  assert.ok(begun.length < 10, String(begun.length));
});

test("planning runs so far ahead and no further, and its failure comes last", async () => {
  let made = 0;
  async function* source(): AsyncGenerator<number> {
    for (; made < 50; made += 1) yield made;
    throw new Error("the end of it");
  }
  const taken: number[] = [];
  let seen = 0;
  const all = (async () => {
    for await (const item of readAhead(source(), 5, () => (seen += 1))) {
      await setImmediate();
      assert.ok(seen <= item + 6, `${seen} seen at ${item}`);
      assert.ok(seen > item);
      taken.push(item);
    }
  })();
  await assert.rejects(all, /the end of it/);
  assert.equal(taken.length, 50);
  made = 0;
  for await (const item of readAhead(source(), 5, () => undefined)) if (item === 3) break;
  assert.ok(made < 12, String(made));
});

test("bars fit the line and say what is known", () => {
  const line = barLine(
    { name: "a\u001bb", done: MIB, bytes: 2 * MIB },
    { width: 80, elapsedMs: 1000 },
  );
  assert.match(
    line,
    /^a\\x1bb +\[#+ +\] {2}50% {2}1\.0 MiB\/2\.0 MiB {2}1\.0 MiB\/s {2}0:01 left$/,
  );
  assert.ok(line.length <= 80);
  const unknown = barLine({ name: "-", done: 5, bytes: undefined }, { width: 80, elapsedMs: 0 });
  assert.match(unknown, /5 B$/);
  assert.ok(
    barLine({ name: "n".repeat(99), done: 0, bytes: 0 }, { width: 30, elapsedMs: 0 }).length <= 30,
  );
});

test("ranges are cut to the body", () => {
  assert.deepEqual(boundsOf(undefined, 10), { first: 0, end: 10 });
  assert.deepEqual(boundsOf("bytes=2-4", 10), { first: 2, end: 5 });
  assert.deepEqual(boundsOf("bytes=2-", 10), { first: 2, end: 10 });
  assert.deepEqual(boundsOf("bytes=-3", 10), { first: 7, end: 10 });
  assert.deepEqual(boundsOf("bytes=-30", 10), { first: 0, end: 10 });
  assert.deepEqual(boundsOf("bytes=20-30", 10), { first: 10, end: 10 });
});

test("links name the bucket in the host where the endpoint wants that", () => {
  const base = {
    keys: { accessKeyId: "AK", secretAccessKey: "SK", sessionToken: "T/+" },
    region: "eu-west-1",
    endpoint: undefined,
    pathStyle: false,
    nowMs: 0,
    expiresSeconds: 60,
  };
  const location = { kind: "remote", bucket: "b", key: "a b/ü" } as const;
  const link = new URL(presignedGet(base, { location, versionId: "v", saveAs: "x.txt" }));
  assert.equal(link.host, "b.s3.eu-west-1.amazonaws.com");
  assert.equal(link.pathname, "/a%20b/%C3%BC");
  assert.equal(link.searchParams.get("X-Amz-Security-Token"), "T/+");
  assert.equal(link.searchParams.get("versionId"), "v");
  const form = uploadForm(
    { ...base, pathStyle: true, endpoint: "http://h:1/p" },
    { location, bytesMax: 7 },
  );
  assert.equal(form.url, "http://h:1/p/b");
  assert.ok(!form.curl.includes("SK"));
});
