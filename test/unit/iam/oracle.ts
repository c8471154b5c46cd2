// Another reading of the AWS pages on policy evaluation, to hold lib/iam against: slow, by
// recursion and brute force, with no code of lib/iam or of the policy matcher. It takes parsed
// policies and answers by one boolean formula over everything that could allow or deny. Sources:
// AWS IAM user guide, "Policy evaluation logic", "Condition operators", "Principal"; S3 user guide,
// "ACL overview".
import type {
  AuthorizationRequest,
  BucketFacts,
  UserPrincipal,
} from "../../../services/lib/iam/model.ts";
import type { Policy, Statement } from "../../../services/lib/iam/policy.ts";
import { isPublicPolicy } from "../../../services/lib/s3/settings/policy-status.ts";

type Condition = Statement["conditions"][number];

/** Whether the request is allowed, knowing the object as far as the request says. */
export function oracleAllows(request: AuthorizationRequest): boolean {
  const { principal, action, bucket } = request;
  if (!isActionOfNote(action)) return false;
  const user = principal.kind === "user" ? principal : undefined;
  if (action === "sts:GetCallerIdentity" && user !== undefined) return true;
  const identity = user?.policies.map(({ policy }) => policy) ?? [];
  const bounds = user?.bounds.map(({ policy }) => policy) ?? [];
  const ofBucket = action.startsWith("s3:") && bucket?.policy ? [bucket.policy] : [];
  const isMaster = user !== undefined && (user.administrator || isOwner(user, bucket?.owner));
  const isPolicyAction = /^s3:(Get|Put|Delete)BucketPolicy$/.test(action);
  const denied =
    [...identity, ...bounds].some((policy) => says(policy, "Deny", request, false)) ||
    (!(isPolicyAction && isMaster) && ofBucket.some((each) => says(each, "Deny", request, true)));
  const bounded = bounds.every((policy) => says(policy, "Allow", request, false));
  const reasons = [
    user?.administrator === true,
    user !== undefined && mayForHimself(user, request),
    identity.some((policy) => says(policy, "Allow", request, false)),
    bucket !== undefined && action.startsWith("s3:") && allowedInBucket(request, bucket),
  ];
  return !denied && bounded && reasons.includes(true);
}

const S3_NAMES = new Set(
  [
    "AbortMultipartUpload BypassGovernanceRetention CreateBucket DeleteBucket DeleteBucketPolicy",
    "DeleteBucketWebsite DeleteObject DeleteObjectTagging DeleteObjectVersion",
    "DeleteObjectVersionTagging GetBucketAcl GetBucketCORS GetBucketLocation GetBucketLogging",
    "GetBucketNotification GetBucketObjectLockConfiguration GetBucketOwnershipControls",
    "GetBucketPolicy GetBucketPolicyStatus GetBucketPublicAccessBlock GetBucketRequestPayment",
    "GetBucketTagging GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration",
    "GetLifecycleConfiguration GetObject GetObjectAcl GetObjectAttributes GetObjectLegalHold",
    "GetObjectRetention GetObjectTagging GetObjectTorrent GetObjectVersion GetObjectVersionAcl",
    "GetObjectVersionAttributes GetObjectVersionTagging GetReplicationConfiguration",
    "ListAllMyBuckets ListBucket ListBucketMultipartUploads ListBucketVersions",
    "ListMultipartUploadParts PutBucketAcl PutBucketCORS PutBucketLogging PutBucketNotification",
    "PutBucketObjectLockConfiguration PutBucketOwnershipControls PutBucketPolicy",
    "PutBucketPublicAccessBlock PutBucketRequestPayment PutBucketTagging PutBucketVersioning",
    "PutBucketWebsite PutEncryptionConfiguration PutLifecycleConfiguration PutObject PutObjectAcl",
    "PutObjectLegalHold PutObjectRetention PutObjectTagging PutObjectVersionAcl",
    "PutObjectVersionTagging PutReplicationConfiguration RenameObject ReplicateObject",
    "RestoreObject",
  ].flatMap((line) => line.split(" ")),
);

/** The actions the oracle was told of. */
export const ORACLE_ACTIONS: readonly string[] = [...S3_NAMES].map((name) => `s3:${name}`);

function isActionOfNote(action: string): boolean {
  const [service, name = ""] = action.split(":");
  if (service === "s3") return S3_NAMES.has(name);
  return name !== "" && [...name].every((letter) => /[A-Za-z]/.test(letter));
}

function isOwner(user: UserPrincipal, owner: string | undefined): boolean {
  return owner !== undefined && user.ownsByName && user.userId === owner;
}

function mayForHimself(user: UserPrincipal, { action, resource }: AuthorizationRequest): boolean {
  if (!user.ownsByName) return false;
  if (["s3:CreateBucket", "s3:ListAllMyBuckets"].includes(action)) return true;
  if (user.arn !== `arn:aws:iam:::user/${user.userId}`) return false;
  if (action === "sts:GetSessionToken") return true;
  const own = ["iam:GetUser", "iam:CreateAccessKey", "iam:ListAccessKeys", "iam:DeleteAccessKey"];
  return resource === user.arn && own.includes(action);
}

// What a list of a bucket or an object gives, as the table of the ACL overview has it.
const BY_LIST: Record<string, readonly string[]> = {
  "bucket READ": ["ListBucket", "ListBucketVersions", "ListBucketMultipartUploads"],
  "bucket WRITE": ["PutObject", "DeleteObject"],
  "bucket READ_ACP": ["GetBucketAcl"],
  "bucket WRITE_ACP": ["PutBucketAcl"],
  "object READ": ["GetObject", "GetObjectVersion", "GetObjectTorrent"],
  "object READ_ACP": ["GetObjectAcl", "GetObjectVersionAcl"],
  "object WRITE_ACP": ["PutObjectAcl", "PutObjectVersionAcl"],
};

function allowedInBucket(request: AuthorizationRequest, bucket: BucketFacts): boolean {
  const { principal, action, object } = request;
  const user = principal.kind === "user" ? principal : undefined;
  const hasLists = bucket.ownership !== "BucketOwnerEnforced";
  const name = action.slice("s3:".length);
  const ofOthers =
    hasLists &&
    object !== undefined &&
    object.owner !== bucket.owner &&
    /^(GetObject(Version)?(Acl|Attributes|Torrent)?|PutObject(Version)?Acl)$/.test(name);
  const owner = user !== undefined && isOwner(user, bucket.owner);
  const { restrictPublicBuckets, ignorePublicAcls } = bucket.publicAccessBlock;
  const heldBack = restrictPublicBuckets && !owner && isOpen(bucket.policy);
  const byPolicy =
    !ofOthers &&
    !heldBack &&
    bucket.policy !== undefined &&
    says(bucket.policy, "Allow", request, true);
  const granted = Object.entries(BY_LIST).some(([entry, names]) => {
    if (!hasLists || !names.includes(name)) return false;
    const [list = "", permission = ""] = entry.split(" ");
    if (list === "object" && object === undefined) return false;
    if (list === "object" && user !== undefined && isOwner(user, object?.owner)) return true;
    const grants = list === "object" ? (object?.grants ?? []) : bucket.grants;
    return grants.some(({ grantee, permission: given }) => {
      if (given !== permission && given !== "FULL_CONTROL") return false;
      if (grantee.kind === "user") return user !== undefined && grantee.id === user.userId;
      const group = grantee.uri.split("/").at(-1) ?? "";
      if (grantee.uri.includes("/global/") && ignorePublicAcls) return false;
      if (group === "AllUsers") return true;
      if (group === "AuthenticatedUsers") return user !== undefined;
      return group !== "LogDelivery" && user !== undefined && user.groups.includes(grantee.uri);
    });
  });
  // Multipart upload API and permissions: by default whoever began an upload lists and aborts it;
  // another whom lists alone let write has no part in it.
  const { upload } = request;
  const began = user !== undefined && upload !== undefined && upload.initiator === user.userId;
  const asInitiator = began && ["AbortMultipartUpload", "ListMultipartUploadParts"].includes(name);
  const asWriter = granted && (upload === undefined || began);
  return (owner && !ofOthers) || byPolicy || asWriter || asInitiator;
}

/** What "public" means is settled, and tested, with the settings of buckets. */
function isOpen(policy: Policy | undefined): boolean {
  return policy !== undefined && isPublicPolicy(policy);
}

function says(
  policy: Policy,
  effect: "Allow" | "Deny",
  request: AuthorizationRequest,
  isOfBucket: boolean,
): boolean {
  return policy.statements.some((statement) => {
    if (statement.effect !== effect) return false;
    const checks = [
      isOfBucket ? namesCaller(statement, request) : statement.principals === undefined,
      namesAction(statement, request.action),
      namesResource(statement, request, policy.version),
      ...statement.conditions.map((each) => holds(each, effect, request, policy.version)),
    ];
    return !checks.includes(false);
  });
}

function namesCaller({ principals }: Statement, { principal }: AuthorizationRequest): boolean {
  if (principals === undefined) return false;
  const names = new Set<string>(["*"]);
  if (principal.kind === "user") {
    const [, role, session] = /assumed-role\/(.*)\/(.*)$/.exec(principal.arn) ?? [];
    if (role !== undefined) {
      names.add(`role/${role}`).add(`assumed-role/${role}/${session}`);
    } else {
      names.add(`user/${principal.userId}`).add(principal.arn.split(":::")[1] ?? "");
      for (const group of principal.groups) names.add(`group/${group}`);
      if (principal.userId === "root") names.add("root").add("account");
    }
  }
  const wanted = principals.values.map(({ type, value }) => {
    if (type === "CanonicalUser") return `user/${value}`;
    if (type !== "AWS") return "nobody";
    if (/^[0-9]+$/.test(value)) return "account";
    if (value.startsWith("arn:")) return value.split(":").slice(5).join(":");
    return value === "*" ? "*" : `user/${value}`;
  });
  return wanted.some((name) => names.has(name)) !== principals.isNegated;
}

function namesAction({ actions }: Statement, action: string): boolean {
  const found = actions.values.map((each) => like(each.toLowerCase(), action.toLowerCase()));
  return found.includes(true) !== actions.isNegated;
}

function namesResource(
  { effect, resources }: Statement,
  request: AuthorizationRequest,
  version: string,
): boolean {
  if (resources === undefined) return true;
  const patterns = resources.values.map((each) => pieces(withoutPlace(each), request, version));
  const isOfAll = request.action === "s3:ListAllMyBuckets" && request.resource === "*";
  const asked = isOfAll ? "arn:aws:s3:::*" : withoutPlace(request.resource);
  const found = patterns.some((pattern) => pattern !== undefined && like(pattern, asked));
  if (!resources.isNegated) return found;
  return !found && (effect === "Deny" || !patterns.includes(undefined));
}

/** Partition, and account of users, say nothing. */
function withoutPlace(arn: string): string {
  const parts = arn.split(":");
  if (parts.length < 6) return arn;
  if (/^(aws-.*|dolium|minio)$/.test(parts[1] ?? "")) parts[1] = "aws";
  if (parts[2] === "iam" || parts[2] === "sts") parts[3] = parts[4] = "";
  return parts.join(":");
}

type Piece = string | { readonly wild: "*" | "?" };

/** Characters and wildcards; undefined: a variable has no value. */
function pieces(
  text: string,
  { context }: AuthorizationRequest,
  version: string,
): readonly Piece[] | undefined {
  const out: Piece[] = [];
  let rest = text;
  while (rest !== "") {
    const variable = version === "2012-10-17" ? /^\$\{([^}]*)\}/.exec(rest) : null;
    const character = [...rest][0] ?? "";
    if (variable === null) {
      out.push(character === "*" || character === "?" ? { wild: character } : character);
      rest = rest.slice(character.length);
      continue;
    }
    const [key = "", fallback] = (variable[1] ?? "").split(/, ?/);
    const values = context.get(key.toLowerCase()) ?? [];
    const value = ["*", "?", "$"].includes(key)
      ? key
      : values.length === 1
        ? values[0]
        : fallback?.slice(1, -1);
    if (value === undefined) return undefined;
    out.push(...value);
    rest = rest.slice(variable[0].length);
  }
  return out;
}

/** By recursion over what is left of both, each pair once. */
export function like(pattern: string | readonly Piece[], text: string): boolean {
  const wanted: readonly Piece[] =
    typeof pattern === "string"
      ? [...pattern].map((each) => (each === "*" || each === "?" ? { wild: each } : each))
      : pattern;
  const found = [...text];
  const known = new Map<number, boolean>();
  const from = (left: number, right: number): boolean => {
    const place = left * (found.length + 1) + right;
    const before = known.get(place);
    if (before !== undefined) return before;
    const piece = wanted[left];
    let answer: boolean;
    if (piece === undefined) answer = right === found.length;
    else if (typeof piece === "object" && piece.wild === "*") {
      answer = from(left + 1, right) || (right < found.length && from(left, right + 1));
    } else {
      const fits = typeof piece === "object" || piece === found[right];
      answer = right < found.length && fits && from(left + 1, right + 1);
    }
    known.set(place, answer);
    return answer;
  };
  return from(0, 0);
}

/** One line an operator: how a value of the request compares with one of the policy. */
const COMPARE: Record<string, (found: string, wanted: Wanted) => boolean | "error"> = {
  StringEquals: (found, { text }) => found === text,
  StringEqualsIgnoreCase: (found, { text }) => found.toLowerCase() === text.toLowerCase(),
  StringLike: (found, wanted) => like(wanted.pieces, found),
  NumericEquals: (found, wanted) => number(found, wanted, (a, b) => a === b),
  NumericLessThan: (found, wanted) => number(found, wanted, (a, b) => a < b),
  NumericLessThanEquals: (found, wanted) => number(found, wanted, (a, b) => a <= b),
  NumericGreaterThan: (found, wanted) => number(found, wanted, (a, b) => a > b),
  NumericGreaterThanEquals: (found, wanted) => number(found, wanted, (a, b) => a >= b),
  DateEquals: (found, wanted) => date(found, wanted, (a, b) => a === b),
  DateLessThan: (found, wanted) => date(found, wanted, (a, b) => a < b),
  DateLessThanEquals: (found, wanted) => date(found, wanted, (a, b) => a <= b),
  DateGreaterThan: (found, wanted) => date(found, wanted, (a, b) => a > b),
  DateGreaterThanEquals: (found, wanted) => date(found, wanted, (a, b) => a >= b),
  Bool: (found, { text }) =>
    ["true", "false"].includes(found.toLowerCase())
      ? found.toLowerCase() === text.toLowerCase()
      : "error",
  IpAddress: (found, { text }) => {
    const [base = "", length] = text.split("/");
    const [left, right] = [bits(found), bits(base)];
    if (left === undefined || right === undefined) return "error";
    const count = length === undefined ? 128 : Number(length) + (base.includes(":") ? 0 : 96);
    return left.slice(0, count) === right.slice(0, count);
  },
  ArnLike: (found, wanted) => {
    if (wanted.text === "*") return true;
    const [left, right] = [arnParts(withoutPlace(found)), arnParts(withoutPlace(wanted.text))];
    return left.length === 6 && left.every((part, index) => like(right[index] ?? "", part));
  },
  BinaryEquals: (found, { text }) =>
    Buffer.from(found, "base64").equals(Buffer.from(text, "base64")),
};

interface Wanted {
  readonly text: string;
  readonly pieces: readonly Piece[];
}

function number(
  found: string,
  { text }: Wanted,
  compare: (left: number, right: number) => boolean,
): boolean | "error" {
  if (!/^[+-]?\d+(\.\d+)?$/.test(found)) return "error";
  return compare(Number.parseFloat(found), Number.parseFloat(text));
}

function date(
  found: string,
  { text }: Wanted,
  compare: (left: number, right: number) => boolean,
): boolean | "error" {
  const [left, right] = [found, text].map((each) =>
    /^\d{5,}$/.test(each) ? Number(each) * 1000 : new Date(each).getTime(),
  );
  if (left === undefined || right === undefined) return "error";
  return Number.isNaN(left) ? "error" : compare(left, right);
}

/** An address as a row of 128 binary digits; the old ones behind their prefix. */
function bits(text: string): string | undefined {
  const [head = "", tail] = text.toLowerCase().split("::");
  if (!text.includes(":"))
    return text.includes(".") ? oldBits(text)?.padStart(128, OLD) : undefined;
  const [left, right] = [head, tail ?? ""].map((half) =>
    half
      .split(":")
      .filter((each) => each !== "")
      .map((each) => (each.includes(".") ? (oldBits(each) ?? "") : digits(each, 16, 16)))
      .join(""),
  );
  const row = `${left}${"0".repeat(Math.max(0, 128 - `${left}${right}`.length))}${right}`;
  return row.length === 128 ? row : undefined;
}

/** Ten groups of zeros, then one of ones. */
const OLD = `${"0".repeat(80)}${"1".repeat(16)}`;

function oldBits(text: string): string | undefined {
  const octets = text.split(".");
  if (octets.length !== 4 || octets.some((octet) => !(Number(octet) <= 255))) return undefined;
  return octets.map((octet) => digits(octet, 10, 8)).join("");
}

function digits(text: string, base: number, width: number): string {
  return Number.parseInt(text, base).toString(2).padStart(width, "0");
}

function arnParts(text: string): readonly string[] {
  const parts = text.split(":");
  return parts[0] === "arn" && parts.length >= 6
    ? [...parts.slice(0, 5), parts.slice(5).join(":")]
    : [];
}

/** Name without "Not", and whether it had one. ArnEquals means what ArnLike means. */
function plainOperator(operator: string): readonly [name: string, isNegated: boolean] {
  const plain = operator.replace("Not", "").replace("ArnEquals", "ArnLike");
  return [plain, operator !== "Null" && operator.includes("Not")];
}

/** `found` is what the request has; what cannot be compared counts against access. */
function holds(
  condition: Condition,
  effect: "Allow" | "Deny",
  request: AuthorizationRequest,
  version: string,
): boolean {
  const found = request.context.get(condition.key.toLowerCase()) ?? [];
  const { qualifier, values } = condition;
  if (condition.operator === "Null") {
    return values.some((value) => (value.toLowerCase() === "true") === (found.length === 0));
  }
  const [name, isNegated] = plainOperator(condition.operator);
  if (found.length === 0) {
    if (qualifier === "ForAnyValue") return false;
    return isNegated || condition.ifExists || qualifier === "ForAllValues";
  }
  // Every way in which what cannot be told could turn out: all must agree, else access is refused.
  const answers = new Set<boolean>();
  for (const guess of [true, false]) {
    const one = (value: string): boolean => {
      const equal = values.some((text) => {
        const expanded = pieces(text, request, version);
        if (expanded === undefined) return isNegated ? guess : false;
        const plain = expanded
          .map((each) => (typeof each === "string" ? each : each.wild))
          .join("");
        const answer = COMPARE[name]?.(value, { text: plain, pieces: expanded }) ?? "error";
        return answer === "error" ? guess : answer;
      });
      return isNegated ? !equal : equal;
    };
    if (qualifier === "ForAllValues") answers.add(found.every(one));
    else if (qualifier === "ForAnyValue") answers.add(found.some(one));
    else answers.add(isNegated ? found.every(one) : found.some(one));
  }
  return answers.size === 1 ? answers.has(true) : effect === "Deny";
}
