// Access control lists: the AccessControlPolicy document both ways, canned lists, x-amz-grant-*
// headers, and whether a list allows something. Grants are asked for by canonical id, e-mail or
// group; whoever knows the users resolves them. Source: Amazon S3 user guide, "Access control list
// (ACL) overview"; API reference, PutBucketAcl, PutObjectAcl.
import { openDocument } from "../document-parts.ts";
import { invalidArgument, isS3Error, S3Error } from "../errors.ts";
import { type HeaderList, trimSpace } from "../headers.ts";
import { optionalWord, requiredChild, requiredChoice, requiredWord } from "../xml-fields.ts";
import { checkShape, childNamed, malformedXml, parseXml, type XmlElement } from "../xml-reader.ts";

const INSTANCE_NAMESPACE = "http://www.w3.org/2001/XMLSchema-instance";
export const ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers";
export const AUTHENTICATED_USERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
export const LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery";
const PREDEFINED: ReadonlySet<string> = new Set([ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY]);

const PERMISSIONS = ["FULL_CONTROL", "WRITE", "WRITE_ACP", "READ", "READ_ACP"] as const;
export type AclPermission = (typeof PERMISSIONS)[number];
/** Most grants of one list, by S3's schema. */
const GRANTS_MAX = 100;

/** Who is granted something, as stored. */
export type Grantee =
  | { readonly kind: "user"; readonly id: string }
  /** URI of a predefined group, or the name of a group of users. */
  | { readonly kind: "group"; readonly uri: string };

export interface AclGrant {
  readonly grantee: Grantee;
  readonly permission: AclPermission;
}

/** Who shall be granted something, as the client names them. */
export interface RequestedGrantee {
  readonly kind: "id" | "email" | "group";
  readonly value: string;
}

export interface RequestedGrant {
  readonly grantee: RequestedGrantee;
  readonly permission: AclPermission;
}

export interface RequestedAcl {
  /** Undefined when the document names no owner; otherwise compare it (checkAclOwner). */
  readonly ownerId: string | undefined;
  readonly grants: readonly RequestedGrant[];
}

/** MalformedACLError for everything that is wrong with the document. */
export function parseAcl(body: Uint8Array): RequestedAcl {
  try {
    return readAcl(parseXml(body));
  } catch (error) {
    if (isS3Error(error, "MalformedXML")) {
      throw new S3Error("MalformedACLError", undefined, { cause: error });
    }
    throw error;
  }
}

function readAcl(root: XmlElement): RequestedAcl {
  checkShape(root, "AccessControlPolicy", ["Owner", "AccessControlList"]);
  const owner = childNamed(root, "Owner");
  if (owner !== undefined) checkShape(owner, "Owner", ["ID", "DisplayName"]);
  const list = requiredChild(root, "AccessControlList");
  checkShape(list, "AccessControlList", ["Grant"]);
  if (list.children.length > GRANTS_MAX) throw malformedXml();
  return {
    ownerId: owner === undefined ? undefined : requiredWord(owner, "ID"),
    grants: list.children.map(readGrant),
  };
}

function readGrant(element: XmlElement): RequestedGrant {
  checkShape(element, "Grant", ["Grantee", "Permission"]);
  const permission = requiredChoice(element, "Permission", PERMISSIONS);
  return { grantee: readGrantee(requiredChild(element, "Grantee")), permission };
}

function readGrantee(element: XmlElement): RequestedGrantee {
  checkShape(element, "Grantee", ["ID", "DisplayName", "EmailAddress", "URI"]);
  switch (granteeType(element)) {
    case "CanonicalUser":
      return { kind: "id", value: requiredWord(element, "ID") };
    case "AmazonCustomerByEmail":
      return { kind: "email", value: requiredWord(element, "EmailAddress") };
    case "Group":
      return { kind: "group", value: requiredWord(element, "URI") };
    default:
      throw malformedXml();
  }
}

/** The value of `xsi:type`, whatever the prefix is; without one, what the only child tells. */
function granteeType(element: XmlElement): string | undefined {
  for (const [name, value] of element.attributes) {
    if (name === "type" || name.endsWith(":type")) return value.slice(value.lastIndexOf(":") + 1);
  }
  if (optionalWord(element, "ID") !== undefined) return "CanonicalUser";
  if (optionalWord(element, "EmailAddress") !== undefined) return "AmazonCustomerByEmail";
  return optionalWord(element, "URI") === undefined ? undefined : "Group";
}

/** Throws AccessDenied when the document names another owner: an ACL cannot give things away. */
export function checkAclOwner(acl: RequestedAcl, ownerId: string): void {
  if (acl.ownerId !== undefined && acl.ownerId !== ownerId) throw new S3Error("AccessDenied");
}

const CANNED = [
  "private",
  "public-read",
  "public-read-write",
  "authenticated-read",
  "aws-exec-read",
  "bucket-owner-read",
  "bucket-owner-full-control",
  "log-delivery-write",
] as const;
export type CannedAcl = (typeof CANNED)[number];

export type AclHeaders =
  | { readonly kind: "none" }
  | { readonly kind: "canned"; readonly name: CannedAcl }
  | { readonly kind: "grants"; readonly grants: readonly RequestedGrant[] };

const GRANT_HEADERS: readonly (readonly [header: string, permission: AclPermission])[] = [
  ["x-amz-grant-full-control", "FULL_CONTROL"],
  ["x-amz-grant-write", "WRITE"],
  ["x-amz-grant-write-acp", "WRITE_ACP"],
  ["x-amz-grant-read", "READ"],
  ["x-amz-grant-read-acp", "READ_ACP"],
];
const GRANT_PIECE = /^(id|emailAddress|uri)\s*=\s*(?:"([^"]*)"|([^",]*))$/i;

/**
 * x-amz-acl or x-amz-grant-* of a request. Throws InvalidArgument (unknown canned list, malformed
 * grant, too many), InvalidRequest (both kinds).
 */
export function parseAclHeaders(headers: HeaderList): AclHeaders {
  const canned = headers.get("x-amz-acl");
  const given = GRANT_HEADERS.filter(([header]) => headers.has(header));
  if (canned !== undefined && given.length > 0) {
    throw new S3Error(
      "InvalidRequest",
      "Specifying both Canned ACLs and Header Grants is not allowed",
    );
  }
  if (canned !== undefined) return { kind: "canned", name: parseCannedAcl(canned) };
  if (given.length === 0) return { kind: "none" };
  const grants = given.flatMap(([header, permission]) =>
    parseGrantees(header, headers.get(header) ?? "").map((grantee) => ({ grantee, permission })),
  );
  if (grants.length > GRANTS_MAX) {
    throw new S3Error("InvalidArgument", `An ACL has at most ${GRANTS_MAX} grants.`);
  }
  return { kind: "grants", grants };
}

/** The canned list called `text`; also of form fields. Throws InvalidArgument. */
export function parseCannedAcl(text: string): CannedAcl {
  const name = CANNED.find((known) => known === text);
  if (name !== undefined) return name;
  throw invalidArgument("The canned ACL is not one of those S3 has.", "x-amz-acl", text);
}

function parseGrantees(header: string, text: string): readonly RequestedGrantee[] {
  const pieces = text.split(",").map(trimSpace);
  return pieces
    .filter((piece) => piece !== "")
    .map((piece): RequestedGrantee => {
      const match = GRANT_PIECE.exec(piece);
      const value = trimSpace(match?.[2] ?? match?.[3] ?? "");
      if (match === null || value === "") {
        throw invalidArgument("Argument format not recognized", header, text);
      }
      const type = match[1]?.toLowerCase();
      return { kind: type === "id" ? "id" : type === "uri" ? "group" : "email", value };
    });
}

export interface CannedContext {
  readonly ownerId: string;
  readonly bucketOwnerId: string;
  readonly subject: "bucket" | "object";
}

/**
 * The grants a canned list stands for. Throws InvalidArgument for log-delivery-write on an object.
 * aws-exec-read grants nothing beyond the owner's control, since there is no EC2 here; the
 * bucket-owner-* lists mean nothing on a bucket.
 */
export function cannedGrants(name: CannedAcl, context: CannedContext): readonly AclGrant[] {
  const owner = userGrant(context.ownerId, "FULL_CONTROL");
  switch (name) {
    case "private":
    case "aws-exec-read":
      return [owner];
    case "public-read":
      return [owner, groupGrant(ALL_USERS, "READ")];
    case "public-read-write":
      return [owner, groupGrant(ALL_USERS, "READ"), groupGrant(ALL_USERS, "WRITE")];
    case "authenticated-read":
      return [owner, groupGrant(AUTHENTICATED_USERS, "READ")];
    case "bucket-owner-read":
    case "bucket-owner-full-control": {
      const { bucketOwnerId, ownerId, subject } = context;
      if (subject === "bucket" || bucketOwnerId === ownerId) return [owner];
      const permission = name === "bucket-owner-read" ? "READ" : "FULL_CONTROL";
      return [owner, userGrant(bucketOwnerId, permission)];
    }
    case "log-delivery-write":
      if (context.subject === "object") {
        throw invalidArgument("The canned ACL is for buckets only.", "x-amz-acl", name);
      }
      return [owner, groupGrant(LOG_DELIVERY, "WRITE"), groupGrant(LOG_DELIVERY, "READ_ACP")];
  }
}

function userGrant(id: string, permission: AclPermission): AclGrant {
  return { grantee: { kind: "user", id }, permission };
}

function groupGrant(uri: string, permission: AclPermission): AclGrant {
  return { grantee: { kind: "group", uri }, permission };
}

/**
 * Finds whom a client means: the canonical id of a user, or the name of a group of users;
 * undefined when there is none. Predefined groups are not asked for.
 */
export type GranteeResolver = (grantee: RequestedGrantee) => Promise<string | undefined>;

/**
 * Requested grants as they are stored, in order, repeats dropped. Throws InvalidArgument (unknown
 * id or group), UnresolvableGrantByEmailAddress.
 */
export async function resolveGrants(
  grants: readonly RequestedGrant[],
  resolve: GranteeResolver,
): Promise<readonly AclGrant[]> {
  const resolved = new Map<string, AclGrant>();
  for (const { grantee, permission } of grants) {
    const stored = await resolveGrantee(grantee, resolve);
    const name = stored.kind === "user" ? stored.id : stored.uri;
    resolved.set(`${permission} ${stored.kind} ${name}`, { grantee: stored, permission });
  }
  return [...resolved.values()];
}

async function resolveGrantee(
  grantee: RequestedGrantee,
  resolve: GranteeResolver,
): Promise<Grantee> {
  const { kind, value } = grantee;
  if (kind === "group" && PREDEFINED.has(value)) return { kind: "group", uri: value };
  const name = await resolve(grantee);
  if (name !== undefined) {
    return kind === "group" ? { kind: "group", uri: name } : { kind: "user", id: name };
  }
  if (kind === "email") {
    throw new S3Error("UnresolvableGrantByEmailAddress", undefined, {
      details: [["EmailAddress", value]],
    });
  }
  if (kind === "id") throw invalidArgument("Invalid id", "CanonicalUser/ID", value);
  throw invalidArgument("Invalid group uri", "Group/URI", value);
}

export interface AclResult {
  readonly ownerId: string;
  readonly grants: readonly AclGrant[];
  /** Default: the id itself. */
  readonly displayName?: (id: string) => string;
}

/** GetBucketAcl and GetObjectAcl; also the form in which a bucket's list is kept. */
export function aclDocument({ ownerId, grants, displayName = (id) => id }: AclResult): string {
  const writer = openDocument("AccessControlPolicy").open("Owner").leaf("ID", ownerId);
  writer.leaf("DisplayName", displayName(ownerId)).close("Owner").open("AccessControlList");
  for (const { grantee, permission } of grants) {
    const type = grantee.kind === "user" ? "CanonicalUser" : "Group";
    writer.open("Grant").open("Grantee", [
      ["xmlns:xsi", INSTANCE_NAMESPACE],
      ["xsi:type", type],
    ]);
    if (grantee.kind === "group") writer.leaf("URI", grantee.uri);
    else writer.leaf("ID", grantee.id).leaf("DisplayName", displayName(grantee.id));
    writer.close("Grantee").leaf("Permission", permission).close("Grant");
  }
  return writer.close("AccessControlList").close("AccessControlPolicy").finish();
}

/** Grants of a stored document, which aclDocument wrote. Throws MalformedACLError otherwise. */
export function parseStoredAcl(document: Uint8Array): readonly AclGrant[] {
  return parseAcl(document).grants.map(({ grantee, permission }): AclGrant => {
    if (grantee.kind === "email") throw new S3Error("MalformedACLError");
    return grantee.kind === "id"
      ? userGrant(grantee.value, permission)
      : groupGrant(grantee.value, permission);
  });
}

/** Who asks. */
export interface AclSubject {
  /** Undefined for anonymous requests. */
  readonly userId: string | undefined;
  /** Names of the groups of users the user belongs to. */
  readonly groups: readonly string[];
}

/** Whether `grants` give `permission` to `subject`; FULL_CONTROL gives all of them. */
export function aclAllows(
  grants: readonly AclGrant[],
  subject: AclSubject,
  permission: Exclude<AclPermission, "FULL_CONTROL">,
): boolean {
  return grants.some(
    (grant) =>
      (grant.permission === permission || grant.permission === "FULL_CONTROL") &&
      isMember(subject, grant.grantee),
  );
}

function isMember({ userId, groups }: AclSubject, grantee: Grantee): boolean {
  if (grantee.kind === "user") return grantee.id === userId;
  if (grantee.uri === ALL_USERS) return true;
  if (userId === undefined) return false;
  if (grantee.uri === AUTHENTICATED_USERS) return true;
  return grantee.uri !== LOG_DELIVERY && groups.includes(grantee.uri);
}

/** Whether `grants` give anything to everybody, signed in or not: what S3 calls public. */
export function isPublicAcl(grants: readonly AclGrant[]): boolean {
  return grants.some(
    ({ grantee }) =>
      grantee.kind === "group" &&
      (grantee.uri === ALL_USERS || grantee.uri === AUTHENTICATED_USERS),
  );
}
