// Buckets that are there once a server is: DOLIUM_BUCKETS, or MINIO_DEFAULT_BUCKETS as MinIO's
// images know it. Names are checked before anything starts.
import type { FirstBucket } from "../gateway/admin/provisioning/first-buckets.ts";
import { isValidBucketName } from "../lib/s3/bucket-name.ts";
import { UsageError } from "./command-line.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface FirstBuckets {
  readonly buckets: readonly FirstBucket[];
  /** For people, when the names came from a variable of another store. */
  readonly notice: string | undefined;
}

const OURS = "DOLIUM_BUCKETS";
const MINIO = "MINIO_DEFAULT_BUCKETS";
const ACCESS: ReadonlyMap<string, FirstBucket["access"]> = new Map([
  ["none", "none"],
  ["download", "download"],
  ["upload", "upload"],
  ["public", "public"],
]);

/** Throws UsageError for a name that no bucket may have. */
export function firstBuckets(environment: Environment): FirstBuckets {
  const ours = environment[OURS] ?? "";
  if (ours !== "") return { buckets: named(OURS, ours.split(",")), notice: undefined };
  const minio = environment[MINIO] ?? "";
  if (minio === "") return { buckets: [], notice: undefined };
  const notice = `${MINIO} is taken as ${OURS}`;
  return { buckets: named(MINIO, minio.split(/[,;]/)), notice };
}

/** "photos", and of MinIO's variable "photos:download" too. */
function named(variable: string, words: readonly string[]): FirstBucket[] {
  const wishes = new Map<string, FirstBucket>();
  for (const word of words) {
    const [name = "", access] = word.replaceAll(/\s/g, "").split(":");
    if (name === "" && access === undefined) continue;
    if (!isValidBucketName(name)) {
      throw new UsageError(`${variable} names "${name}", which no bucket may be called`);
    }
    if (access !== undefined && variable === OURS) {
      throw new UsageError(`${variable} takes names and commas only, not "${word.trim()}"`);
    }
    wishes.set(name, { name, ...accessOf(variable, access) });
  }
  return [...wishes.values()];
}

function accessOf(variable: string, word: string | undefined): Pick<FirstBucket, "access"> {
  if (word === undefined || word === "") return {};
  const access = ACCESS.get(word);
  if (access !== undefined) return { access };
  throw new UsageError(`${variable}: "${word}" is none of none, download, upload and public`);
}
