// What is off with a bucket, in sentences, from facts that were asked before. Pure: the same facts
// give the same findings. `off` is for what somebody should mend, `note` for what may be meant so,
// `unknown` for what the caller's keys may not see; what a server does not have at all is a note.
import type { LifecycleRule } from "@aws-sdk/client-s3";
import { counted, shownSize } from "../objects/shown-text.ts";

export type Verdict = "ok" | "note" | "off" | "unknown";

export interface Finding {
  readonly check: string;
  readonly verdict: Verdict;
  readonly finding: string;
}

/** A fact, or why it is not known; `absent`: the server has no such thing. */
export type Fact<T> =
  | { readonly kind: "known"; readonly value: T }
  | { readonly kind: "absent" | "refused"; readonly why: string };

export type VersioningState = "Enabled" | "Suspended" | "never";

export interface OpenUploads {
  readonly count: number;
  /** There are more than were counted. */
  readonly isMore: boolean;
  /** Undefined when there is none. */
  readonly oldestMs: number | undefined;
}

export interface QuotaUse {
  readonly bytes: number;
  readonly objects: number;
  /** 0: no limit. */
  readonly bytesMax: number;
  readonly objectsMax: number;
}

export interface BucketFacts {
  readonly nowMs: number;
  /** Uploads open for longer than this are stale. */
  readonly staleMs: number;
  readonly versioning: Fact<VersioningState>;
  /** Undefined: objects cannot be locked. */
  readonly lock: Fact<{ readonly hasDefault: boolean } | undefined>;
  readonly policyIsPublic: Fact<boolean>;
  /** Permissions that everybody, or everybody with keys, has by the ACL: "READ" ... */
  readonly publicGrants: Fact<readonly string[]>;
  /** What the block of public access overrules. */
  readonly block: Fact<{ readonly policies: boolean; readonly acls: boolean }>;
  readonly rules: Fact<readonly LifecycleRule[]>;
  /** Prefixes of rules below which nothing is. */
  readonly emptyPrefixes: ReadonlySet<string>;
  /** Algorithm of the default encryption. */
  readonly encryption: Fact<string | undefined>;
  readonly uploads: Fact<OpenUploads>;
  readonly quota: Fact<QuotaUse>;
  /** Undefined: no web site, or one that only redirects. */
  readonly website: Fact<{ readonly index: string; readonly isThere: boolean } | undefined>;
}

const NEARLY_FULL = 0.9;
const DAY_MS = 86_400_000;

export function findingsOf(facts: BucketFacts): Finding[] {
  return [
    ...publicFindings(facts),
    ...about("versioning", facts.versioning, (state) => versioningFindings(state, facts)),
    ...about("object lock", facts.lock, (lock) => lockFindings(lock, facts)),
    ...about("lifecycle", facts.rules, (rules) => lifecycleFindings(rules, facts)),
    ...about("encryption", facts.encryption, encryptionFindings),
    ...about("uploads", facts.uploads, (uploads) => uploadFindings(uploads, facts)),
    ...about("quota", facts.quota, quotaFindings),
    ...about("website", facts.website, (site) => websiteFindings(site, facts)),
  ];
}

type Said = readonly [Verdict, string];

function about<T>(check: string, fact: Fact<T>, judge: (value: T) => readonly Said[]): Finding[] {
  if (fact.kind !== "known") {
    const verdict = fact.kind === "absent" ? "note" : "unknown";
    return [{ check, verdict, finding: `not looked at: ${fact.why}` }];
  }
  return judge(fact.value).map(([verdict, finding]) => ({ check, verdict, finding }));
}

function known<T>(fact: Fact<T>): T | undefined {
  return fact.kind === "known" ? fact.value : undefined;
}

function publicFindings(facts: BucketFacts): Finding[] {
  const block = known(facts.block);
  return [
    ...about("public policy", facts.policyIsPublic, (isPublic) => [
      isPublic ? open("the policy lets everybody in", block?.policies) : ["ok", "no public policy"],
    ]),
    ...about("public ACL", facts.publicGrants, (grants) => [
      grants.length > 0
        ? open(`the ACL grants everybody ${grants.join(", ")}`, block?.acls)
        : ["ok", "the ACL grants nothing to everybody"],
    ]),
  ];
}

function open(what: string, isBlocked: boolean | undefined): Said {
  return isBlocked === true
    ? ["note", `${what}; the public access block keeps them out, but not without it`]
    : ["off", `${what}: close it if that is not meant`];
}

function versioningFindings(state: VersioningState, facts: BucketFacts): Said[] {
  if (state === "Enabled") return [["ok", "every version is kept"]];
  if (known(facts.lock) !== undefined) {
    return [["off", "objects may be locked, but versions are not kept: turn versioning on"]];
  }
  return [
    state === "Suspended"
      ? ["note", "versioning is suspended: what is overwritten or deleted now is gone"]
      : ["note", "versions are not kept: what is overwritten or deleted is gone"],
  ];
}

function lockFindings(lock: { readonly hasDefault: boolean } | undefined, _: BucketFacts): Said[] {
  if (lock === undefined) return [["ok", "objects cannot be locked, and nothing says they should"]];
  return lock.hasDefault
    ? [["ok", "objects are locked for a time by default"]]
    : [["note", "objects may be locked, but none is unless its upload asks for it"]];
}

function lifecycleFindings(rules: readonly LifecycleRule[], facts: BucketFacts): Said[] {
  const said = rules.flatMap((rule, at) => ruleFindings(rule, `rule ${rule.ID ?? at + 1}`, facts));
  if (said.length > 0) return said;
  return [["ok", rules.length === 0 ? "no rules" : `${counted(rules.length, "rule")} can match`]];
}

/** Nothing for a rule with which all is well. */
function ruleFindings(rule: LifecycleRule, name: string, facts: BucketFacts): Said[] {
  if (rule.Status !== "Enabled") return [["note", `${name} is switched off`]];
  const said: Said[] = [];
  const { Expiration, NoncurrentVersionExpiration, NoncurrentVersionTransitions = [] } = rule;
  const onVersions =
    NoncurrentVersionExpiration !== undefined ||
    NoncurrentVersionTransitions.length > 0 ||
    Expiration?.ExpiredObjectDeleteMarker === true;
  if (onVersions && known(facts.versioning) === "never") {
    said.push(["off", `${name} is about old versions, of which there can be none here`]);
  }
  const { over, under } = sizesOf(rule);
  if (over !== undefined && under !== undefined && over + 1 >= under) {
    said.push(["off", `${name} wants objects over ${over} and under ${under} bytes: none is both`]);
  }
  for (const { Days, StorageClass } of rule.Transitions ?? []) {
    if (Days === undefined || Expiration?.Days === undefined || Days < Expiration.Days) continue;
    const text = `${name} removes objects before it moves them to ${StorageClass ?? "a class"}`;
    said.push(["off", text]);
  }
  const prefix = prefixOf(rule);
  if (said.length === 0 && facts.emptyPrefixes.has(prefix)) {
    said.push(["off", `${name} is for "${prefix}", below which there is nothing now`]);
  }
  return said;
}

export function prefixOf({ Filter, Prefix }: LifecycleRule): string {
  return Filter?.Prefix ?? Filter?.And?.Prefix ?? Prefix ?? "";
}

function sizesOf({ Filter }: LifecycleRule): {
  readonly over: number | undefined;
  readonly under: number | undefined;
} {
  const { And } = Filter ?? {};
  return {
    over: Filter?.ObjectSizeGreaterThan ?? And?.ObjectSizeGreaterThan,
    under: Filter?.ObjectSizeLessThan ?? And?.ObjectSizeLessThan,
  };
}

function encryptionFindings(algorithm: string | undefined): Said[] {
  return algorithm === undefined
    ? [["off", "objects are stored unencrypted unless their upload asks: set a default encryption"]]
    : [["ok", `objects are encrypted by default (${algorithm})`]];
}

function uploadFindings(uploads: OpenUploads, { nowMs, staleMs, rules }: BucketFacts): Said[] {
  const { count, isMore, oldestMs } = uploads;
  if (oldestMs === undefined) return [["ok", "no upload is open"]];
  const many = `${isMore ? "more than " : ""}${counted(count, "upload")}`;
  const days = Math.floor((nowMs - oldestMs) / DAY_MS);
  if (nowMs - oldestMs < staleMs) return [["ok", `${many} open, the oldest for ${days} days`]];
  const ends = (known(rules) ?? []).some(
    (rule) => rule.Status === "Enabled" && rule.AbortIncompleteMultipartUpload !== undefined,
  );
  const advice = ends
    ? "a rule ends such uploads: it has not run yet, or is for others"
    : "end them, or have them ended by `dolium bucket lifecycle NAME --abort-uploads-days 7`";
  return [["off", `${many} open, the oldest for ${days} days and paid for: ${advice}`]];
}

function quotaFindings(use: QuotaUse): Said[] {
  const said: Said[] = [];
  if (use.bytesMax > 0 && use.bytes >= use.bytesMax * NEARLY_FULL) {
    const of = `${shownSize(use.bytes)} of ${shownSize(use.bytesMax)}`;
    said.push(["off", `the quota is nearly used up: ${of}`]);
  }
  if (use.objectsMax > 0 && use.objects >= use.objectsMax * NEARLY_FULL) {
    said.push(["off", `the quota is nearly used up: ${use.objects} of ${use.objectsMax} objects`]);
  }
  if (said.length > 0) return said;
  const hasQuota = use.bytesMax > 0 || use.objectsMax > 0;
  return [["ok", hasQuota ? "the quota has room" : "no quota"]];
}

function websiteFindings(
  site: { readonly index: string; readonly isThere: boolean } | undefined,
  facts: BucketFacts,
): Said[] {
  if (site === undefined) return [["ok", "no web site with pages of its own"]];
  if (!site.isThere) return [["off", `the web site's first page "${site.index}" is not there`]];
  const grants = known(facts.publicGrants) ?? [];
  const block = known(facts.block);
  const byPolicy = known(facts.policyIsPublic) === true && block?.policies !== true;
  const isOpen = byPolicy || (grants.length > 0 && block?.acls !== true);
  return isOpen
    ? [["ok", "the web site has its first page"]]
    : [["off", "the bucket is a web site, but nobody may read it: see --public-read"]];
}
