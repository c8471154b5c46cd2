// A row of the table of IAM actions, and what its rows share: names and ids as IAM shows them,
// pages by Marker and MaxItems, fields that must be there.

import { toSafeNumber } from "../../../lib/base/bytes.ts";
import type {
  GroupRecord,
  ManagedPolicy,
  RoleRecord,
  UserRecord,
} from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import { formatIsoDate } from "../../../lib/s3/http-date.ts";
import { AdminError } from "../admin-error.ts";
import type { AdminContext, AdminPermission } from "../admin-operation.ts";
import type { XmlValue } from "./iam-xml.ts";

export interface IamCall {
  readonly context: AdminContext;
  readonly form: URLSearchParams;
  /** What the action is on: the field `subject`, else the caller for actions on users. */
  readonly name: string;
}

export interface IamAction {
  readonly name: string;
  /** Field that names what the action is on; a name or an ARN. */
  readonly subject?: string;
  readonly permission: AdminPermission;
  readonly isWrite: boolean;
  /** Undefined: the answer has no result. */
  readonly run: (call: IamCall) => Promise<XmlValue | undefined>;
}

const ITEMS = 100;
const ITEMS_MAX = 1000;

export function field(form: URLSearchParams, name: string): string {
  const value = form.get(name);
  if (value !== null && value !== "") return value;
  throw new AdminError(400, "ValidationError", `The field ${name} is missing.`);
}

const PATH = /^\/(?:[!-~]{1,509}\/)?$/;

/** The field as a path of IAM: `/` or `/a/b/`. Throws AdminError 400. */
export function pathField(form: URLSearchParams, name: string): string | undefined {
  const path = form.get(name);
  if (path === null || PATH.test(path)) return path ?? undefined;
  const message = `${name} must be / or begin and end with /, at most 511 visible characters long.`;
  throw new AdminError(400, "ValidationError", message);
}

export function pathOf({ path }: Pick<UserRecord, "path">): string {
  return path === "" ? "/" : path;
}

/**
 * Ids of IAM are opaque; the name, which never changes, is told as one. Names of users are unique
 * whatever their path, and ARNs go without it, as policies and owners have them.
 */
export function userXml(user: UserRecord): XmlValue {
  return {
    Path: pathOf(user),
    UserName: user.name,
    UserId: user.name,
    Arn: `arn:aws:iam:::user/${user.name}`,
    CreateDate: dateOf(user.createdMs),
    PermissionsBoundary: boundaryXml(user),
  };
}

function boundaryXml({ boundary }: Pick<UserRecord, "boundary">): XmlValue | undefined {
  if (boundary === "") return undefined;
  const type = { PermissionsBoundaryType: "Policy" };
  return { ...type, PermissionsBoundaryArn: policyArn(boundary) };
}

export function groupXml(group: GroupRecord): XmlValue {
  return {
    Path: "/",
    GroupName: group.name,
    GroupId: group.name,
    Arn: `arn:aws:iam:::group/${group.name}`,
    CreateDate: dateOf(group.createdMs),
  };
}

export function policyArn(name: string): string {
  return `arn:aws:iam:::policy/${name}`;
}

export function policyXml(policy: ManagedPolicy, attachments: number): XmlValue {
  return {
    PolicyName: policy.name,
    PolicyId: policy.name,
    Arn: policyArn(policy.name),
    Path: "/",
    DefaultVersionId: "v1",
    AttachmentCount: attachments,
    IsAttachable: true,
    Description: policy.description === "" ? undefined : policy.description,
    CreateDate: dateOf(policy.createdMs),
    UpdateDate: dateOf(policy.updatedMs),
  };
}

export function roleXml(role: RoleRecord): XmlValue {
  return {
    Path: "/",
    RoleName: role.name,
    RoleId: role.name,
    Arn: `arn:aws:iam:::role/${role.name}`,
    CreateDate: dateOf(role.createdMs),
    AssumeRolePolicyDocument: encodeURIComponent(role.trustPolicy),
    Description: role.description === "" ? undefined : role.description,
    MaxSessionDuration: role.sessionSecondsMax,
    PermissionsBoundary: boundaryXml(role),
  };
}

export function dateOf(ms: bigint): string {
  return formatIsoDate(toSafeNumber(ms));
}

/** A page by name: the items under `listName`, IsTruncated and Marker. */
export function pageXml<T>(
  form: URLSearchParams,
  items: Iterable<T>,
  how: {
    readonly listName: string;
    readonly nameOf: (item: T) => string;
    readonly show: (item: T) => XmlValue;
  },
): { readonly [name: string]: XmlValue | undefined } {
  const limit = itemsMax(form);
  const after = form.get("Marker") ?? "";
  const { listName, nameOf, show } = how;
  const sorted = [...items].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const rest = sorted.filter((item) => nameOf(item) > after);
  const shown = rest.slice(0, limit);
  const last = shown.at(-1);
  const isTruncated = rest.length > limit;
  return {
    [listName]: shown.map(show),
    IsTruncated: isTruncated,
    Marker: isTruncated && last !== undefined ? nameOf(last) : undefined,
  };
}

function itemsMax(form: URLSearchParams): number {
  const text = form.get("MaxItems") ?? String(ITEMS);
  const limit = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= ITEMS_MAX) return limit;
  throw new AdminError(400, "ValidationError", `MaxItems must be from 1 to ${ITEMS_MAX}.`);
}
