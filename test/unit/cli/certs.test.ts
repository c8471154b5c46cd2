// `dolium certs`, verb by verb: what is made and for whom to read, what exists and stays, what is
// renewed and how, the three steps of another authority, and every wrong argument.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { showFolder } from "../../../services/cli/certs/certificate-folder.ts";
import { findVerb, parseCommand, UsageError } from "../../../services/cli/command-line.ts";
import { certsGroup } from "../../../services/cli/commands/certs.ts";
import { namesOf } from "../../../services/lib/host/internal-tls.ts";
import { jsonOfDolium, runDolium } from "../../support/dolium-command.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const DAY_MS = 86_400_000;
const NODES = ["--node", "metadata/metadata-1", "--node", "storage/storage-1"];
const NAMES = ["admin", "gateway", "keeper", "metadata-1", "storage-1"];

function placeOf(t: TestContext): string {
  const folder = temporaryFolder("dolium-certs-");
  t.after(() => folder.remove());
  return join(folder.path, "certs");
}

/** The exit code of `dolium certs WORDS`; throws UsageError where the command says so. */
async function certs(...words: readonly string[]): Promise<number> {
  const { verb, rest } = findVerb(certsGroup, [...words, "--quiet"]);
  return verb.run(parseCommand(verb, rest));
}

function refuses(says: RegExp, ...words: readonly string[]): Promise<void> {
  return assert.rejects(
    () => certs(...words),
    (error) => error instanceof UsageError && says.test(error.message),
    words.join(" "),
  );
}

function read(folder: string, file: string): string {
  return readFileSync(join(folder, file), "utf8");
}

/** The bytes of every file, by its name. */
function contents(folder: string): Readonly<Record<string, string>> {
  return Object.fromEntries(readdirSync(folder).map((file) => [file, read(folder, file)]));
}

function certificate(folder: string, name: string): X509Certificate {
  return new X509Certificate(read(folder, `${name}.crt`));
}

function daysOf({ validToDate }: X509Certificate): number {
  return Math.round((validToDate.getTime() - Date.now()) / DAY_MS);
}

test("init makes keys for the owner alone and certificates for everybody", async (t) => {
  const folder = placeOf(t);
  const hosts = ["--s3-host", "s3.example.org", "--campus-host", "s3.north.example.org"];
  await certs("init", folder, "--name", "harbour", ...NODES, ...hosts, "--days", "30");
  const names = [...NAMES, "ca", "s3"];
  const files = names.flatMap((name) => [`${name}.crt`, `${name}.key`]);
  assert.deepEqual(readdirSync(folder).toSorted(), files.toSorted());
  for (const file of files) {
    const mode = file.endsWith(".key") ? 0o600 : 0o644;
    assert.equal(statSync(join(folder, file)).mode & 0o777, mode, file);
  }
  assert.equal(daysOf(certificate(folder, "storage-1")), 30);
  assert.ok(namesOf(certificate(folder, "storage-1")).join().includes("dolium://harbour/storage/"));
  const { subjectAltName = "" } = certificate(folder, "s3");
  for (const host of ["s3.example.org", "s3.north.example.org"]) {
    assert.ok(subjectAltName.includes(`DNS:${host}`), host);
    assert.ok(subjectAltName.includes(`DNS:*.${host}`), host);
  }
  for (const name of NAMES) {
    const x509 = certificate(folder, name);
    assert.ok(x509.verify(certificate(folder, "ca").publicKey), name);
  }
});

test("init again adds what is missing, and never writes over what is there", async (t) => {
  const folder = placeOf(t);
  await certs("init", folder, "--name", "harbour", ...NODES);
  const first = contents(folder);
  await certs("init", folder, ...NODES, "--days", "1", "--node", "storage/storage-2");
  const { "storage-2.crt": added, "storage-2.key": addedKey, ...rest } = contents(folder);
  assert.ok(added !== undefined && addedKey !== undefined);
  assert.deepEqual(rest, first);
  const kept = contents(folder);
  const other = ["--s3-host", "s3.example.org"];
  await certs("init", folder, ...other);
  await refuses(/has other names/, "init", folder, "--s3-host", "other.example.org");
  await refuses(/has other names/, "init", folder, "--node", "metadata/storage-1");
  await refuses(/belongs to cluster harbour/, "init", folder, "--name", "quay");
  const { "s3.crt": _crt, "s3.key": _key, ...untouched } = contents(folder);
  assert.deepEqual(untouched, kept);
});

test("init completes what was cut off after a key, with that key", async (t) => {
  const folder = placeOf(t);
  await certs("init", folder, "--name", "harbour", ...NODES);
  const key = read(folder, "storage-1.key");
  rmSync(join(folder, "storage-1.crt"));
  await certs("init", folder, ...NODES);
  assert.equal(read(folder, "storage-1.key"), key);
  assert.equal(await certs("show", folder), 0);
});

test("init refuses what it cannot make, before it makes anything", async (t) => {
  const folder = placeOf(t);
  const named = ["init", folder, "--name", "harbour"];
  for (const [says, ...words] of [
    [/wants one DIR/, "init"],
    [/wants one DIR/, "init", folder, "more"],
    [/--name CLUSTER is missing/, "init", folder],
    [/cannot be called/, "init", folder, "--name", "a/b"],
    [/ROLE\/NAME/, ...named, "--node", "storage-1"],
    [/ROLE\/NAME/, ...named, "--node", "captain/one"],
    [/ROLE\/NAME/, ...named, "--node", "storage/a/b"],
    [/another certificate "ca/, ...named, "--node", "storage/ca"],
    [/another certificate "s3"/, ...named, "--node", "storage/s3"],
    [/another certificate "one"/, ...named, "--node", "storage/one", "--node", "metadata/one"],
    [/is no host name/, ...named, "--s3-host", "bad host"],
    [/--days wants/, ...named, "--days", "0"],
    [/--days wants/, ...named, "--days", "3651"],
    [/certs init/, ...named, "--force"],
  ] as const) {
    await refuses(says, ...words);
  }
  assert.equal(existsSync(folder), false);
});

test("renew issues anew with the names and the key that are there", async (t) => {
  const folder = placeOf(t);
  await certs("init", folder, "--name", "harbour", ...NODES, "--days", "10");
  const before = contents(folder);
  assert.equal(await certs("renew", folder, "--within", "5"), 0);
  assert.deepEqual(contents(folder), before, "nothing was due");
  assert.equal(await certs("renew", folder, "storage-1", "--within", "20", "--days", "40"), 0);
  const { "storage-1.crt": renewed, ...others } = contents(folder);
  const { "storage-1.crt": former, ...same } = before;
  assert.notEqual(renewed, former);
  assert.deepEqual(others, same);
  const x509 = certificate(folder, "storage-1");
  assert.deepEqual(namesOf(x509), namesOf(new X509Certificate(former ?? "")));
  assert.equal(daysOf(x509), 40);
  await certs("renew", folder, "storage-1", "--new-keys");
  assert.notEqual(read(folder, "storage-1.key"), before["storage-1.key"]);
  assert.equal(statSync(join(folder, "storage-1.key")).mode & 0o777, 0o600);
  assert.equal(await certs("show", folder), 0);
  await certs("renew", folder);
  assert.notEqual(read(folder, "gateway.crt"), before["gateway.crt"]);
  assert.equal(read(folder, "ca.crt"), before["ca.crt"]);
});

test("renew refuses other names, other folders, and to sign without the authority's key", async (t) => {
  const folder = placeOf(t);
  await refuses(/wants one DIR/, "renew");
  await refuses(/cannot be read/, "renew", folder);
  await certs("init", folder, "--name", "harbour", ...NODES);
  await refuses(/has no certificate storage-9/, "renew", folder, "storage-9");
  await refuses(/--within wants/, "renew", folder, "--within", "3651");
  const kept = contents(folder);
  const key = read(folder, "ca.key");
  rmSync(join(folder, "ca.key"));
  await refuses(/nothing can be signed/, "renew", folder);
  writeFileSync(join(folder, "ca.key"), read(folder, "storage-1.key"));
  await refuses(/fits no authority/, "renew", folder);
  writeFileSync(join(folder, "ca.key"), key);
  assert.deepEqual(contents(folder), kept);
});

test("show fails for a certificate that ended, lost its key or has a foreign signer", async (t) => {
  const folder = placeOf(t);
  await refuses(/wants one DIR/, "show");
  await refuses(/cannot be read/, "show", folder);
  await certs("init", folder, "--name", "harbour", ...NODES);
  assert.equal(await certs("show", folder), 0);
  const good = contents(folder);
  const broken = {
    "its key is another one": ["storage-1.key", good["metadata-1.key"]],
    "no authority in ca.crt has signed it": ["ca.crt", await foreignAuthority(t)],
    "its key is not here": ["storage-1.key", undefined],
  } as const;
  for (const [problem, [file, text]] of Object.entries(broken)) {
    if (text === undefined) rmSync(join(folder, file));
    else writeFileSync(join(folder, file), text);
    const found = showFolder(folder).find(({ name }) => name === "storage-1");
    assert.equal(found?.problem, problem);
    assert.equal(await certs("show", folder), 1);
    writeFileSync(join(folder, file), good[file] ?? "");
  }
  assert.equal(await certs("show", folder), 0);
});

async function foreignAuthority(t: TestContext): Promise<string> {
  const folder = placeOf(t);
  await certs("init", folder, "--name", "elsewhere");
  return read(folder, "ca.crt");
}

test("another authority comes in three steps, in their order only", async (t) => {
  const folder = placeOf(t);
  await certs("init", folder, "--name", "harbour", ...NODES);
  const before = contents(folder);
  await refuses(/wants add, use or drop/, "authority", "replace", folder);
  await refuses(/wants one DIR/, "authority", "add");
  await refuses(/has no new authority/, "authority", "use", folder);
  assert.deepEqual(contents(folder), before);

  await certs("authority", "add", folder);
  const { "ca.crt": both = "", "ca-next.key": next, ...rest } = contents(folder);
  const { "ca.crt": sole = "", ...same } = before;
  assert.ok(both.startsWith(sole) && both.length > sole.length && next !== undefined);
  assert.deepEqual(rest, same);
  assert.equal(statSync(join(folder, "ca-next.key")).mode & 0o777, 0o600);
  await certs("authority", "add", folder);
  assert.equal(read(folder, "ca.crt"), both, "added once");
  await refuses(/not in use yet/, "authority", "drop", folder);

  await certs("authority", "use", folder, "--days", "20");
  assert.equal(read(folder, "ca.key"), next);
  assert.equal(statSync(join(folder, "ca.key")).mode & 0o777, 0o600);
  assert.equal(existsSync(join(folder, "ca-next.key")), false);
  assert.equal(daysOf(certificate(folder, "storage-1")), 20);
  assert.equal(await certs("show", folder), 0);
  await refuses(/trusts two authorities already/, "authority", "add", folder);

  await certs("authority", "drop", folder);
  assert.equal(read(folder, "ca.crt"), both.slice(sole.length));
  assert.equal(await certs("show", folder), 0);
});

test("the command tells what it made, as words and as JSON, and refuses with exit code 2", async (t) => {
  const folder = placeOf(t);
  const place = { folder: join(folder, "..") };
  const made = await jsonOfDolium(["certs", "init", folder, "--name", "harbour"], place);
  assert.deepEqual(made, { folder, made: ["ca", "gateway", "keeper", "admin"] });
  const shown = await runDolium(["certs", "show", folder], place);
  assert.equal(shown.code, 0);
  assert.match(shown.stdout, /dolium:\/\/harbour\/gateway\/gateway/);
  const refused = await runDolium(["certs", "revoke", folder], place);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /has no verb "revoke"/);
});
