// Root keys: from the environment when given and good, else generated once and kept for the owner
// alone.
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { UsageError } from "../../../services/cli/command-line.ts";
import { ConfigSchema } from "../../../services/cli/config-schema.ts";
import {
  clusterKeyFile,
  clusterKeyOf,
  clusterKeysOf,
  clusterKeyVariables,
  clusterSecretFile,
  forgetRunning,
  keptClusterKey,
  knownRootCredentials,
  localClusterKey,
  localClusterKeys,
  rememberRunning,
  requiredRootCredentials,
  rootCredentials,
} from "../../../services/cli/credentials.ts";
import { loadConfig } from "../../../services/lib/host/config.ts";

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

const OPERATOR = { DOLIUM_ROOT_USER: "operator", DOLIUM_ROOT_PASSWORD: "eight chars" };

test("a command knows the keys of its environment, of who runs, of the folder, in this order", () => {
  const own = mkdtempSync(join(folder, "known-"));
  assert.equal(knownRootCredentials({}, own), undefined);
  assert.equal(existsSync(join(own, "root-credentials.json")), false, "nothing is made");
  const kept = rootCredentials({}, own);
  assert.equal(knownRootCredentials({}, own)?.secretAccessKey, kept.secretAccessKey);
  rememberRunning(OPERATOR, own);
  assert.equal(knownRootCredentials({}, own)?.secretAccessKey, "eight chars");
  for (const name of ["MINIO_ROOT_USER", "MINIO_ROOT_USER_FILE"]) {
    const file = join(own, "user");
    writeFileSync(file, "minio-user\n");
    const user = name.endsWith("_FILE") ? file : "minio-user";
    const here = { [name]: user, MINIO_ROOT_PASSWORD: "minio-password" };
    assert.equal(knownRootCredentials(here, own)?.accessKeyId, "minio-user", name);
  }
  assert.throws(() => knownRootCredentials({ DOLIUM_ROOT_USER: "half" }, own), UsageError);
  forgetRunning(own);
  assert.equal(knownRootCredentials({}, own)?.secretAccessKey, kept.secretAccessKey);
});

test("keys of who runs are for the owner alone, and gone with the next who has none", () => {
  const own = mkdtempSync(join(folder, "running-"));
  const path = join(own, "running-root-credentials.json");
  writeFileSync(path, "{}");
  chmodSync(path, 0o644);
  rememberRunning(OPERATOR, own);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(Object.keys(JSON.parse(readFileSync(path, "utf8"))), Object.keys(OPERATOR));
  rememberRunning({ HOME: "/" }, own);
  assert.equal(existsSync(path), false, "what a killed process left");
  forgetRunning(own);
});

test("a secret that came as a file is not written elsewhere", () => {
  const own = mkdtempSync(join(folder, "files-"));
  const secret = join(own, "secret");
  writeFileSync(secret, "kept in a vault");
  const environment = { DOLIUM_ROOT_USER: "operator", DOLIUM_ROOT_PASSWORD_FILE: secret };
  rememberRunning(environment, own);
  const path = join(own, "running-root-credentials.json");
  assert.equal(readFileSync(path, "utf8").includes("kept in a vault"), false);
  assert.equal(knownRootCredentials({}, own)?.secretAccessKey, "kept in a vault");
  rmSync(secret);
  assert.throws(() => knownRootCredentials({}, own), { name: "UsageError", message: /AWS_ACCESS/ });
  writeFileSync(path, '{"DOLIUM_ROOT_PASSWORD":"eight chars');
  assert.throws(
    () => knownRootCredentials({}, own),
    (error: unknown) => error instanceof UsageError && !error.message.includes("eight chars"),
  );
});

test("the cluster secret is made once, for the owner alone", () => {
  const path = clusterSecretFile(folder);
  const secret = readFileSync(path, "utf8");
  assert.match(secret, /^[0-9a-f]{64}$/);
  assert.equal(readFileSync(clusterSecretFile(folder), "utf8"), secret);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

function configWith(clusterKey: string): ReturnType<typeof loadConfig<typeof ConfigSchema>> {
  return loadConfig(ConfigSchema, { environment: { DOLIUM_ENCRYPTION__CLUSTER_KEY: clusterKey } });
}

test("the cluster key of a local cluster is made once, for the owner alone", () => {
  assert.equal(keptClusterKey(folder), undefined);
  const key = localClusterKey(configWith(""), folder);
  assert.equal(key?.byteLength, 32);
  assert.equal(statSync(clusterKeyFile(folder)).mode & 0o777, 0o600);
  assert.deepEqual(localClusterKey(configWith(""), folder), key);
  assert.deepEqual(keptClusterKey(folder), key);
});

test("a configured cluster key goes before, and no file is made for it", () => {
  const own = mkdtempSync(join(folder, "own-"));
  const text = "ab".repeat(32);
  assert.deepEqual(localClusterKey(configWith(text), own), Buffer.from(text, "hex"));
  assert.equal(keptClusterKey(own), undefined);
  assert.equal(clusterKeyOf(configWith("")), undefined);
  assert.deepEqual(clusterKeyVariables({ DOLIUM_ENCRYPTION__CLUSTER_KEY: text }, own), {});
  assert.deepEqual(clusterKeyVariables({ DOLIUM_ENCRYPTION__CLUSTER_KEY_FILE: "/x" }, own), {});
  assert.equal(keptClusterKey(own), undefined);
  const { DOLIUM_ENCRYPTION__CLUSTER_KEY_FILE: path } = clusterKeyVariables({}, own);
  assert.equal(path, join(own, "cluster-key"));
  assert.equal(keptClusterKey(own)?.byteLength, 32);
});

test("a cluster key that is none is refused, an empty file too", () => {
  assert.throws(() => clusterKeyOf(configWith("secret")), { name: "UsageError" });
  const own = mkdtempSync(join(folder, "empty-"));
  writeFileSync(join(own, "cluster-key"), "\n");
  assert.throws(() => localClusterKey(configWith(""), own), { name: "UsageError" });
});

test("former cluster keys stand beside the present one, configured or kept", () => {
  const [now, earlier, first] = [1, 2, 3].map((fill) => Buffer.alloc(32, fill));
  const text = `${earlier?.toString("hex")}, ${first?.toString("base64")},`;
  const environment = { DOLIUM_ENCRYPTION__FORMER_CLUSTER_KEYS: text };
  const keptOnly = loadConfig(ConfigSchema, { environment });
  assert.deepEqual(clusterKeysOf(keptOnly), { current: undefined, former: [earlier, first] });
  const local = localClusterKeys(keptOnly, folder);
  assert.deepEqual(local, { current: keptClusterKey(folder), former: [earlier, first] });
  const key = now?.toString("hex") ?? "";
  const both = loadConfig(ConfigSchema, {
    environment: { ...environment, DOLIUM_ENCRYPTION__CLUSTER_KEY: key },
  });
  assert.deepEqual(clusterKeysOf(both).current, now);
  assert.deepEqual(clusterKeysOf(configWith("")).former, []);
  const bad = { DOLIUM_ENCRYPTION__FORMER_CLUSTER_KEYS: `${key},short` };
  const broken = loadConfig(ConfigSchema, { environment: bad });
  assert.throws(() => clusterKeysOf(broken), { name: "UsageError", message: /former/ });
});
