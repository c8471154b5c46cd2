// Two people of two organisations, as on the pages of OSiRIS: an administrator makes them known,
// one makes a token, uses it with an empty and with a dummy secret, shares a bucket by access
// control lists and takes that back; the token, revoked, stops at every gateway.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { DOLIUM } from "../support/dolium-command.ts";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { runCommand } from "../support/run-command.ts";
import { type Client, findClient, findPython, rowTest, runPython } from "./row-test.ts";

const BUCKET = "alice-letters";
const ALICE = "alice_umich";
const BOB = "bob_wayne";
/** A revoked token ends within two seconds; the machine may give the processors to others. */
const REVOKED_MS_MAX = 30_000;

const s3cmd = await findClient({ name: "s3cmd", program: "s3cmd", args: ["--version"] });
const boto3 = await findPython("boto3", "boto3", "boto3.__version__");
const boto2 = await findPython("boto 2", "boto", "boto.__version__");
const clients: readonly Client[] = [s3cmd, boto3, boto2];

let cluster: LocalCluster;
let folder: string;

before(async () => {
  if (clients.some(({ absent }) => absent !== undefined)) return;
  folder = mkdtempSync(join(tmpdir(), "dolium-sharing-"));
  cluster = await LocalCluster.start({
    args: ["dev", "--gateways", "2", "--metadata", "1", "--storage", "3"],
    environment: { DOLIUM_IDENTITY__TOKENS: "true", DOLIUM_S3__OBJECT_OWNERSHIP: "ObjectWriter" },
  });
});

after(async () => {
  await cluster?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Runs an administrator's command, or that of the user whose keys are given; its last line. */
async function dolium<T>(args: readonly string[], keys?: KeyPair): Promise<T> {
  const environment = {
    DOLIUM_DATA: cluster.dataDir,
    ...(keys === undefined
      ? {}
      : { AWS_ACCESS_KEY_ID: keys.accessKeyId, AWS_SECRET_ACCESS_KEY: keys.secretAccessKey }),
  };
  const printed = await runCommand(DOLIUM, [...args, "--json"], { environment });
  // Checked boundary: what the command prints is asserted on where it is used.
  return JSON.parse(printed.trim().split("\n").at(-1) ?? "") as T;
}

/** One step of check_sharing.py at one of the gateways. */
async function python(
  step: string,
  keys: { readonly KEY?: string; readonly SECRET?: string },
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  await runPython("check_sharing.py", {
    STEP: step,
    ENDPOINT: cluster.endpoints[0] ?? "",
    BUCKET,
    // The optional signer in C refuses an empty secret before anything is sent.
    BOTO_DISABLE_CRT: "true",
    ...keys,
    ...more,
  });
}

function s3cmdOf(
  name: string,
  key: string,
  secret: string,
): (...args: string[]) => Promise<string> {
  const host = (cluster.endpoints[0] ?? "").replace("http://", "");
  const path = join(folder, name);
  const settings = { access_key: key, secret_key: secret, host_base: host, host_bucket: host };
  const lines = Object.entries({ ...settings, use_https: "False" });
  writeFileSync(path, `[default]\n${lines.map((each) => each.join(" = ")).join("\n")}\n`);
  return (...args) => runCommand("s3cmd", ["-c", path, "--no-progress", ...args]);
}

/** Status that each gateway answers to a listing of buckets by `key` and a signature of nothing. */
async function statuses(key: string): Promise<number[]> {
  const headers = {
    authorization: `AWS ${key}:bm90aGluZw==`,
    "x-amz-date": new Date().toUTCString(),
  };
  return Promise.all(
    cluster.endpoints.map(async (endpoint) => {
      const answer = await fetch(`${endpoint}/`, { headers });
      await answer.arrayBuffer();
      return answer.status;
    }),
  );
}

rowTest(clients, ["D5", "D6", "D7", "D8", "D9", "D10"], "a day of two users", async () => {
  const alice = await dolium<KeyPair>(["user", "create", ALICE]);
  const bob = await dolium<KeyPair>(["user", "create", BOB]);
  const second = await dolium<KeyPair>(["user", "key", "create", BOB]);
  assert.notEqual(second.accessKeyId, bob.accessKeyId);
  const bobs = { KEY: bob.accessKeyId, SECRET: bob.secretAccessKey };

  // Her own token, made with her own keys: with no secret, in a file of credentials, with a dummy.
  const made = await dolium<{ readonly id: string; readonly token: string }>(
    ["token", "create", ALICE, "--expires", "30d"],
    alice,
  );
  const tokenOnly = { KEY: made.token, SECRET: "" };
  await python("make", tokenOnly);
  const file = join(folder, "credentials");
  writeFileSync(
    file,
    `[default]\naws_access_key_id = ${made.token}\naws_secret_access_key = any\n`,
  );
  await python("mine", {}, { AWS_SHARED_CREDENTIALS_FILE: file, USER_ID: ALICE });
  const hers = s3cmdOf("alice.cfg", made.token, "dummy");
  assert.match(await hers("ls"), new RegExp(`s3://${BUCKET}`));

  // Nobody else sees it, with either key pair.
  await python("shut", bobs);
  await python("shut", { KEY: second.accessKeyId, SECRET: second.secretAccessKey });

  await hers("setacl", `--acl-grant=read:${BOB}`, `s3://${BUCKET}`);
  await hers("setacl", `--acl-grant=read:${BOB}`, `s3://${BUCKET}/letter.txt`);
  await python("shared", bobs, { USER_ID: BOB });
  await python(
    "grant_by_boto2",
    { KEY: alice.accessKeyId, SECRET: alice.secretAccessKey },
    {
      GRANTEE: BOB,
    },
  );
  await python("read_by_boto2", bobs);

  for (const path of [`s3://${BUCKET}`, `s3://${BUCKET}/letter.txt`, `s3://${BUCKET}/large.bin`]) {
    await hers("setacl", `--acl-revoke=read:${BOB}`, path);
  }
  await python("shut", bobs);

  assert.deepEqual([...new Set(await statuses(made.token))], [200]);
  await dolium(["token", "revoke", ALICE, made.id, "--yes"], alice);
  const revokedAt = performance.now();
  await eventually("the token ends at every gateway", REVOKED_MS_MAX, async () =>
    (await statuses(made.token)).every((status) => status === 403) ? true : undefined,
  );
  const seconds = (performance.now() - revokedAt) / 1000;
  process.stderr.write(`the revoked token ended everywhere after ${seconds.toFixed(1)} s\n`);
});
