// Root keys: from the environment when given and good, else generated once and kept for the owner
// alone.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  clusterSecretFile,
  requiredRootCredentials,
  rootCredentials,
} from "../../../services/cli/credentials.ts";

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "dolium-keys-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("generated once, kept with mode 0600, the same afterwards", () => {
  const first = rootCredentials({}, folder);
  assert.match(first.accessKeyId, /^DOL[A-Z2-7]{17}$/);
  assert.ok(first.secretAccessKey.length >= 40);
  const again = rootCredentials({}, folder);
  assert.equal(again.secretAccessKey, first.secretAccessKey);
  assert.equal(statSync(join(folder, "root-credentials.json")).mode & 0o777, 0o600);
});

test("the environment goes before, also MinIO's names and files", () => {
  const pair = { DOLIUM_ROOT_USER: "operator", DOLIUM_ROOT_PASSWORD: "eight chars" };
  assert.equal(rootCredentials(pair, folder).secretAccessKey, "eight chars");
  const minio = { MINIO_ROOT_USER: "minio", MINIO_ROOT_PASSWORD: "minio123" };
  assert.equal(rootCredentials(minio, folder).accessKeyId, "minio");
  const file = join(folder, "password");
  writeFileSync(file, "from a file\n");
  const environment = { DOLIUM_ROOT_USER: "operator", DOLIUM_ROOT_PASSWORD_FILE: file };
  assert.equal(requiredRootCredentials(environment).secretAccessKey, "from a file");
});

test("refuses half a pair, short passwords, and user names that break signatures", () => {
  const refused = [
    { DOLIUM_ROOT_USER: "operator" },
    { DOLIUM_ROOT_PASSWORD: "long enough" },
    { DOLIUM_ROOT_USER: "operator", DOLIUM_ROOT_PASSWORD: "seven77" },
    { DOLIUM_ROOT_USER: "ab", DOLIUM_ROOT_PASSWORD: "long enough" },
    { DOLIUM_ROOT_USER: "a/b/c", DOLIUM_ROOT_PASSWORD: "long enough" },
  ];
  for (const environment of refused) {
    assert.throws(() => rootCredentials(environment, folder), { name: "UsageError" });
  }
  assert.throws(() => requiredRootCredentials({}), { name: "UsageError" });
});

test("the cluster secret is made once, for the owner alone", () => {
  const path = clusterSecretFile(folder);
  const secret = readFileSync(path, "utf8");
  assert.match(secret, /^[0-9a-f]{64}$/);
  assert.equal(readFileSync(clusterSecretFile(folder), "utf8"), secret);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});
