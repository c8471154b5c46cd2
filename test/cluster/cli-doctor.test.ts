// `dolium dev` with a certificate: commands on the machine find it by nothing but its data
// directory and trust it, and `dolium doctor` looks at its clocks, names, certificates and cluster.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Ended, runDolium } from "../support/dolium-command.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";

let cluster: LocalCluster;
let folder: TemporaryFolder;

before(async () => {
  folder = temporaryFolder("dolium-cli-doctor-");
  const [key, certificate] = [join(folder.path, "a.key"), join(folder.path, "a.crt")];
  const names = ["-subj", "/CN=local", "-addext", "subjectAltName=IP:127.0.0.1"];
  const how = ["req", "-x509", "-nodes", "-days", "90", "-newkey", "rsa:2048", ...names];
  execFileSync("openssl", [...how, "-keyout", key, "-out", certificate], { stdio: "ignore" });
  const environment = {
    DOLIUM_S3__TLS__CERTIFICATE_FILE: certificate,
    DOLIUM_S3__TLS__KEY_FILE: key,
  };
  const args = ["dev", "--gateways", "1", "--metadata", "1", "--storage", "1"];
  cluster = await LocalCluster.start({ args, environment });
});

after(async () => {
  await cluster?.stop();
  folder?.remove();
});

function dolium(args: readonly string[], environment = {}): Promise<Ended> {
  return runDolium(args, {
    folder: folder.path,
    environment: { DOLIUM_DATA: cluster.dataDir, ...environment },
  });
}

interface Check {
  readonly name: string;
  readonly verdict: string;
  readonly finding: string;
}

test("the verbs for objects and for the cluster speak TLS and trust the cluster's own", async () => {
  assert.match(cluster.ready.adminUrl ?? "", /^https:\/\/127\.0\.0\.1:/);
  const nodes = await dolium(["node", "list", "--json"]);
  assert.equal(nodes.code, 0, nodes.stderr);
  assert.match(nodes.stdout, /storage-1/);
  const made = await dolium(["mb", "s3://safe"]);
  assert.equal(made.code, 0, made.stderr);
  const { accessKeyId, secretAccessKey, adminUrl = "" } = cluster.ready;
  const keys = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  const stranger = { ...keys, DOLIUM_DATA: folder.path, DOLIUM_ADMIN_URL: adminUrl };
  assert.equal((await dolium(["node", "list"], stranger)).code, 5, "nobody told it to trust");
  const told = { ...stranger, AWS_CA_BUNDLE: join(folder.path, "a.crt") };
  const trusting = await dolium(["node", "list"], told);
  assert.equal(trusting.code, 0, trusting.stderr);
});

test("doctor looks at clocks, names, certificates and the cluster", async () => {
  const { code, stdout, stderr } = await dolium(["doctor", "--json"]);
  const { ok, checks }: { ok: boolean; checks: Check[] } = JSON.parse(stdout);
  assert.equal(code, ok ? 0 : 1, stderr);
  // The machine's disks may be as full as they are.
  const wrong = checks.filter(({ name, verdict }) => verdict === "fail" && name !== "disks");
  assert.deepEqual(wrong, []);
  const finding = (name: string): string =>
    checks
      .filter((check) => check.name === name)
      .map((check) => check.finding)
      .join("\n");
  assert.match(finding("name"), /127\.0\.0\.1/);
  assert.match(finding("clock"), /has the time of this machine/);
  assert.match(finding("certificate"), /CN=local.* is good for (?:89|90) days/);
  assert.match(finding("versions"), /all run/);
  assert.match(finding("metadata"), /leader/);
  assert.match(finding("clocks"), /clocks agree|the clock of/);
});

test("doctor names what cannot be reached, by its exit code too", async () => {
  const endpoint = ["--endpoint", "http://127.0.0.1:1"];
  const dead = await dolium(["doctor", "--json", ...endpoint]);
  assert.equal(dead.code, 1);
  assert.match(dead.stdout, /127\.0\.0\.1 does not answer/);
  const admin = await dolium(["doctor", "--json", "--admin-url", "http://127.0.0.1:1"]);
  assert.equal(admin.code, 5);
  assert.match(admin.stdout, /the admin API cannot be asked/);
  const wrongKeys = { AWS_ACCESS_KEY_ID: "NOBODY", AWS_SECRET_ACCESS_KEY: "nothing at all" };
  assert.equal((await dolium(["doctor"], wrongKeys)).code, 4);
});
