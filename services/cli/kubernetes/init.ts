// Makes the Secrets that an installation needs and that are not there: root keys, what the
// services share, the authority and the certificates. Run again it adds what is new (nodes, hosts)
// and renews certificates near their end; keys and the authority stay for good.
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StoreError } from "../../lib/base/errors.ts";
import {
  completeFolder,
  type FolderPlan,
  renewFolder,
  S3_NAME,
  showFolder,
} from "../certs/certificate-folder.ts";
import { AUTHORITY, crtPath, keyPath } from "../certs/folder-files.ts";
import { newAccessKeyId, newSecretAccessKey } from "../credentials.ts";
import {
  makeSecret,
  putEntries,
  readSecret,
  type SecretPlace,
  type SecretTexts,
} from "./secrets.ts";

export interface InitWishes {
  /** Name of the cluster, in certificates. */
  readonly cluster: string;
  /** Names of objects begin with it. */
  readonly prefix: string;
  readonly rootSecret: string | undefined;
  readonly rootUser: string | undefined;
  readonly clusterSecret: string | undefined;
  readonly internalTls: boolean;
  /** "ROLE/NAME". */
  readonly nodes: readonly string[];
  readonly s3Secret: string | undefined;
  readonly s3Hosts: readonly string[];
}

const DAYS = 365;
const RENEW_WITHIN_DAYS = 120;
const SECRET_BYTES = 32;
const KEY_MODE = 0o600;
const ROLES = ["metadata", "storage", "gateway", "keeper", "admin"] as const;

/** Resolves with the names of the Secrets that were made or changed. */
export async function initSecrets(place: SecretPlace, wishes: InitWishes): Promise<string[]> {
  const changed: string[] = [];
  const { rootSecret, rootUser, clusterSecret, internalTls, s3Secret } = wishes;
  const ensure = async (name: string | undefined, texts: () => SecretTexts): Promise<void> => {
    if (name === undefined || (await readSecret(place, name)) !== undefined) return;
    if (await makeSecret(place, name, texts())) changed.push(name);
  };
  await ensure(
    rootSecret,
    () =>
      new Map([
        ["rootUser", rootUser ?? newAccessKeyId()],
        ["rootPassword", newSecretAccessKey()],
      ]),
  );
  await ensure(
    clusterSecret,
    () =>
      new Map([
        ["clusterSecret", randomBytes(SECRET_BYTES).toString("hex")],
        ["clusterKey", randomBytes(SECRET_BYTES).toString("base64")],
      ]),
  );
  if (internalTls || s3Secret !== undefined) {
    changed.push(...(await initCertificates(place, wishes)));
  }
  return changed;
}

/** Files of the folder of certificates, by the Secret and the entry that each stands in. */
type Entries = Map<string, Map<string, string>>;

async function initCertificates(place: SecretPlace, wishes: InitWishes): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "dolium-certificates-"));
  try {
    const before = new Map<string, SecretTexts | undefined>();
    const entries = plannedEntries(wishes);
    for (const name of entries.keys()) before.set(name, await readSecret(place, name));
    checkAuthority(wishes, before);
    for (const [secret, files] of entries) unpack(folder, files, before.get(secret));
    await complete(folder, wishes);
    const changed: string[] = [];
    // The authority first: whoever made it has the last word.
    for (const [secret, files] of entries) {
      if (await save(place, secret, { files, folder, before: before.get(secret) })) {
        changed.push(secret);
      }
    }
    return changed;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function plannedEntries(wishes: InitWishes): Entries {
  const { prefix, internalTls, nodes, s3Secret } = wishes;
  const entries: Entries = new Map();
  entries.set(`${prefix}-ca`, filesOf([AUTHORITY]));
  if (internalTls) {
    for (const role of ROLES) {
      const own = nodes.filter((node) => node.startsWith(`${role}/`));
      const names = own.map((node) => node.slice(role.length + 1));
      const isShared = role !== "metadata" && role !== "storage";
      const files = filesOf(isShared ? [role] : names);
      entries.set(`${prefix}-internal-${role}`, files.set("ca.crt", "ca.crt"));
    }
  }
  if (s3Secret !== undefined) {
    const files = new Map([
      ["tls.crt", `${S3_NAME}.crt`],
      ["tls.key", `${S3_NAME}.key`],
      ["ca.crt", "ca.crt"],
    ]);
    entries.set(s3Secret, files);
  }
  return entries;
}

function filesOf(names: readonly string[]): Map<string, string> {
  return new Map(names.flatMap((name) => [`${name}.crt`, `${name}.key`].map((one) => [one, one])));
}

/** Certificates of an authority that is gone would be refused by all that are made now. */
function checkAuthority(
  { prefix }: InitWishes,
  before: ReadonlyMap<string, SecretTexts | undefined>,
): void {
  if (before.get(`${prefix}-ca`) !== undefined) return;
  const left = [...before].find(([, texts]) => texts !== undefined)?.[0];
  if (left === undefined) return;
  const gone = `${prefix}-ca`;
  throw new StoreError(
    "invalid",
    `Secret ${left} has certificates of an authority whose Secret ${gone} is gone: put it back, or delete ${left} too`,
  );
}

function unpack(
  folder: string,
  files: ReadonlyMap<string, string>,
  texts: SecretTexts | undefined,
): void {
  for (const [entry, file] of files) {
    const text = texts?.get(entry);
    // Every Secret has the authority; its own is the one that counts.
    if (text === undefined || existsSync(join(folder, file))) continue;
    writeFileSync(join(folder, file), text, { mode: KEY_MODE });
  }
}

async function complete(folder: string, wishes: InitWishes): Promise<void> {
  const { cluster, nodes, internalTls, s3Hosts, s3Secret } = wishes;
  const hosts = s3Secret === undefined ? [] : s3Hosts;
  dropOtherHosts(folder, hosts);
  const plan: FolderPlan = { cluster, nodes: internalTls ? nodes : [], hosts, days: DAYS };
  await completeFolder(folder, plan);
  const withinDays = RENEW_WITHIN_DAYS;
  await renewFolder(folder, { days: DAYS, withinDays, names: [], newKeys: false });
}

/** A certificate with other hosts than the values want is made anew, with its key. */
function dropOtherHosts(folder: string, hosts: readonly string[]): void {
  const found = existsSync(crtPath(folder, S3_NAME))
    ? showFolder(folder).find(({ name }) => name === S3_NAME)
    : undefined;
  if (found === undefined) return;
  const plain = found.names.filter((name) => !name.startsWith("*."));
  const isSame = plain.length === hosts.length && plain.every((name) => hosts.includes(name));
  if (!isSame) rmSync(crtPath(folder, S3_NAME));
  // Without hosts nothing would ask for the certificate of a key that is left.
  if (hosts.length === 0) rmSync(keyPath(folder, S3_NAME));
}

/** True when something was written. */
async function save(
  place: SecretPlace,
  secret: string,
  what: {
    readonly files: ReadonlyMap<string, string>;
    readonly folder: string;
    readonly before: SecretTexts | undefined;
  },
): Promise<boolean> {
  const { files, folder, before } = what;
  const texts = new Map(
    [...files].map(([entry, file]) => [entry, readFileSync(join(folder, file), "utf8")] as const),
  );
  if (before === undefined) {
    if (await makeSecret(place, secret, texts)) return true;
    throw new StoreError("conflict", `Secret ${secret} was made meanwhile: it is tried again`);
  }
  const other = new Map([...texts].filter(([entry, text]) => before.get(entry) !== text));
  if (other.size === 0) return false;
  await putEntries(place, secret, other);
  return true;
}
