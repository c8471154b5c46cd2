// What `dolium doctor` makes of answers, of gateways' clocks, names and certificates, and of what a
// gateway knows of its cluster; and that a probe sees a real server as a client would.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { trustFiles } from "../../../services/cli/dev/local-address.ts";
import {
  type Answered,
  addressesOf,
  type Probe,
  probe,
} from "../../../services/cli/doctor/probe.ts";
import { clockOffsetMs, endpointChecks } from "../../../services/cli/doctor/verdicts.ts";
import {
  clockChecks,
  diskChecks,
  quorumChecks,
  versionCheck,
} from "../../../services/gateway/admin/support/verdicts.ts";
import type { DiskView, GroupView } from "../../../services/lib/clients/cluster-status.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const NOW_MS = Date.parse("2026-05-01T12:00:00Z");
const DAY_MS = 86_400_000;
const URL_TEXT = "https://s3.example.org";

const WELL: Answered = {
  kind: "answered",
  address: "192.0.2.1",
  status: 403,
  dateMs: NOW_MS,
  sentMs: NOW_MS + 300,
  receivedMs: NOW_MS + 310,
  certificate: undefined,
  clusterId: "one",
};

const CERTIFICATE = {
  refusal: "",
  coversHost: true,
  coversBuckets: true,
  endsMs: NOW_MS + 90 * DAY_MS,
  subject: "CN=s3.example.org",
};

/** "verdict name: finding" of all that is not ok. */
function wrong(probes: readonly Probe[], changes: object = {}): string[] {
  const checks = endpointChecks({ url: URL_TEXT, isS3: true, probes, ...changes }, NOW_MS);
  assert.ok(checks.length > 0);
  for (const { verdict, advice } of checks) assert.equal(advice === "", verdict === "ok");
  return checks.flatMap(({ verdict, name, finding }) =>
    verdict === "ok" ? [] : [`${verdict} ${name}: ${finding}`],
  );
}

function one(changes: Partial<Answered>): string[] {
  return wrong([{ ...WELL, ...changes }]);
}

test("a clock counts as off only by what whole seconds and the way cannot explain", () => {
  const offset = (dateMs: number, sentMs: number, receivedMs: number): number =>
    clockOffsetMs({ dateMs, sentMs, receivedMs });
  assert.equal(offset(5000, 5999, 6400), 0);
  assert.equal(offset(5000, 4000, 5000), 0);
  assert.equal(offset(5000, 3000, 3500), 1500);
  assert.equal(offset(5000, 8000, 8500), -2000);
  assert.deepEqual(one({}), []);
  assert.deepEqual(one({ dateMs: NOW_MS + 1000 }), []);
  assert.match(one({ dateMs: NOW_MS + 10_000 })[0] ?? "", /^warn clock: .*10 s ahead/);
  assert.match(one({ dateMs: NOW_MS - 900_000 })[0] ?? "", /^warn clock: .*899 s behind/);
  assert.match(one({ dateMs: NOW_MS - 901_000 })[0] ?? "", /^fail clock/);
  assert.match(one({ dateMs: undefined })[0] ?? "", /^warn clock: .*does not tell/);
});

test("each address of a name must answer, and all for one cluster", () => {
  const other = { ...WELL, address: "192.0.2.2" };
  assert.deepEqual(wrong([WELL, other]), []);
  const silent = { kind: "silent", address: "192.0.2.3", reason: "ECONNREFUSED" } as const;
  assert.match(wrong([WELL, silent])[0] ?? "", /^fail name: .*192\.0\.2\.3 does not answer/);
  const foreign = wrong([WELL, { ...other, clusterId: "two" }]);
  assert.match(foreign[0] ?? "", /^fail name: .*several clusters: one, two/);
  assert.deepEqual(wrong([WELL, { ...other, clusterId: undefined }]), []);
  const nowhere = wrong([], { failure: "ENOTFOUND" });
  assert.match(nowhere[0] ?? "", /^fail name: .*leads nowhere/);
});

test("certificates: who refuses them, which names they cover, how long they last", () => {
  const shown = (changes: object): string =>
    one({ certificate: { ...CERTIFICATE, ...changes } }).join("\n");
  assert.equal(shown({}), "");
  assert.match(shown({ refusal: "SELF_SIGNED_CERT_IN_CHAIN" }), /^fail certificate: .*refuse it/);
  assert.match(
    shown({ refusal: "ERR_TLS_CERT_ALTNAME_INVALID", coversHost: false, coversBuckets: false }),
    /^fail certificate: [^\n]*does not name this host$/,
  );
  assert.match(shown({ coversBuckets: false }), /^warn certificate: .*BUCKET\.HOST/);
  assert.match(shown({ endsMs: NOW_MS + 20 * DAY_MS }), /^warn certificate: .*20 days/);
  assert.match(shown({ endsMs: NOW_MS }), /^fail certificate: .*has ended/);
  const probes = [{ ...WELL, certificate: { ...CERTIFICATE, coversBuckets: false } }];
  assert.deepEqual(wrong(probes, { isS3: false }), [], "the admin port has no buckets");
});

test("clocks of processes, from a second and from a quarter of an hour on", () => {
  const process = (name: string, offsetMs: number) => ({
    role: name === "keeper" ? "keeper" : "storage",
    name,
    version: "1.0.0",
    clockOffsetMs: BigInt(offsetMs),
  });
  const verdicts = (...offsets: number[]): string[] =>
    clockChecks(
      [process("a", offsets[0] ?? 0), process("keeper", offsets[1] ?? 0)],
      offsets[2] ?? 0,
    ).map(({ verdict, finding }) => `${verdict} ${finding}`);
  assert.deepEqual(verdicts(1000, -1000, 0), ["ok 3 clocks agree within 1000 ms"]);
  assert.deepEqual(verdicts(-1001, 0, 0), [
    "warn the clock of storage a is 1.0 s behind the metadata leader's",
  ]);
  assert.match(verdicts(0, 900_001, 0)[0] ?? "", /^fail the clock of keeper is 900\.0 s ahead/);
  assert.match(verdicts(0, 0, 5000)[0] ?? "", /^warn the clock of this gateway/);
});

test("releases may be one apart, not more", () => {
  const verdict = (...versions: string[]): string => versionCheck(versions).verdict;
  assert.equal(verdict("1.2.0", "1.2.0", ""), "ok");
  assert.equal(verdict("1.2.0", "1.2.1"), "warn");
  assert.equal(verdict("1.2.0", "1.3.9"), "warn");
  assert.equal(verdict("1.2.0", "1.4.0"), "fail");
  assert.equal(verdict("1.2.0", "2.2.0"), "fail");
  assert.equal(verdict("1.2.0", "development"), "fail");
});

test("disks: failed, without writes, nearly full, none", () => {
  const disk = { diskId: 7, state: "up", sizeBytes: 1000, freeBytes: 100 };
  const scrub = { scrubPasses: 0, scrubProgressRatio: 0, scrubCompletedMs: 0, scrubPassDone: 0 };
  const others = { shardCount: 0, corruptShards: 0, weight: 1, ...scrub };
  const verdict = (changes: Partial<DiskView>, state = "up"): string[] => {
    const disks = [{ ...disk, ...others, ...changes }];
    const node = { name: "storage-1", role: "storage", address: "", state, disks };
    return diskChecks([node]).map((check) => check.verdict);
  };
  assert.deepEqual(verdict({}), ["ok"]);
  assert.deepEqual(verdict({ freeBytes: 99 }), ["warn"]);
  assert.deepEqual(verdict({ freeBytes: 19 }), ["fail"]);
  assert.deepEqual(verdict({ state: "failed" }), ["fail"]);
  assert.deepEqual(verdict({ state: "readonly" }), ["warn"]);
  assert.deepEqual(verdict({ state: "out" }), ["ok"], "given up already");
  assert.deepEqual(verdict({ state: "failed" }, "out"), ["fail"], "no disk is left");
});

test("groups without a leader fail, replicas that are silent warn", () => {
  const replica = { replicaId: "1", address: "", leads: true, appliedIndex: 1, digestIndex: 0 };
  const voter = { ...replica, name: "m1", role: "voter", digest: "", state: "serving" };
  const group: GroupView = { groupId: 1, leader: "m1", term: 1, commitIndex: 1, replicas: [voter] };
  const verdicts = (groups: readonly GroupView[], silent: readonly string[] = []): string[] =>
    quorumChecks(groups, silent).map(({ verdict }) => verdict);
  assert.deepEqual(verdicts([group]), ["ok"]);
  assert.deepEqual(verdicts([group], ["m2"]), ["warn"]);
  assert.deepEqual(verdicts([{ ...group, leader: "" }]), ["fail"]);
  assert.deepEqual(verdicts([{ ...group, replicas: [{ ...voter, state: "joining" }] }]), ["fail"]);
  assert.deepEqual(verdicts([]), ["fail"]);
});

test("a probe sees certificate, names and time, and trust in a file makes the difference", async (t) => {
  const folder = temporaryFolder("dolium-doctor-");
  t.after(() => folder.remove());
  const [key, certificate] = [join(folder.path, "a.key"), join(folder.path, "a.crt")];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const how = ["req", "-x509", "-nodes", "-days", "30", "-newkey", "rsa:2048", ...names];
  execFileSync("openssl", [...how, "-keyout", key, "-out", certificate], { stdio: "ignore" });
  const files = { key: readFileSync(key), cert: readFileSync(certificate) };
  const server = createServer(files, (request, response) => {
    response.writeHead(request.headers.host?.startsWith("localhost:") === true ? 403 : 500);
    response.end();
  });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const url = new URL(`https://localhost:${address.port}`);
  assert.ok((await addressesOf(url)).includes("127.0.0.1"));
  const before = await probe(url, "127.0.0.1", undefined);
  assert.ok(before.kind === "answered");
  assert.equal(before.status, 403, "the name stays in the Host header");
  assert.ok(Math.abs((before.dateMs ?? 0) - before.receivedMs) < 60_000);
  assert.equal(before.certificate?.refusal, "DEPTH_ZERO_SELF_SIGNED_CERT");
  assert.equal(before.certificate.coversHost, true);
  assert.equal(before.certificate.coversBuckets, false);
  const days = (before.certificate.endsMs - Date.now()) / DAY_MS;
  assert.ok(days > 28 && days < 31, String(days));
  await assert.rejects(fetch(url));
  trustFiles(undefined, "", certificate);
  assert.equal((await fetch(url)).status, 403);
  const after = await probe(url, "127.0.0.1", undefined);
  assert.ok(after.kind === "answered");
  assert.equal(after.certificate?.refusal, "");
  assert.throws(() => trustFiles(key), /cannot be used/);
  const silent = await probe(new URL("http://127.0.0.1:1"), "127.0.0.1", undefined);
  assert.equal(silent.kind, "silent");
});
