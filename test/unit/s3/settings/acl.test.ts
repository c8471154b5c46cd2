// Access control lists: documents, canned lists, headers, who is allowed what.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isS3Error, type S3ErrorCode } from "../../../../services/lib/s3/errors.ts";
import { type HeaderField, HeaderList } from "../../../../services/lib/s3/headers.ts";
import {
  type AclGrant,
  type AclPermission,
  ALL_USERS,
  AUTHENTICATED_USERS,
  aclAllows,
  aclDocument,
  cannedGrants,
  checkAclOwner,
  isPublicAcl,
  LOG_DELIVERY,
  parseAcl,
  parseAclHeaders,
  parseCannedAcl,
  parseStoredAcl,
  resolveGrants,
} from "../../../../services/lib/s3/settings/acl.ts";
import { fromAclRecord, toAclRecord } from "../../../../services/lib/s3/settings/acl-record.ts";
import { expectS3Error } from "../expect-s3-error.ts";
import { body, documentText } from "./bodies.ts";

const XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';

function user(id: string, permission: AclPermission): AclGrant {
  return { grantee: { kind: "user", id }, permission };
}

function group(uri: string, permission: AclPermission): AclGrant {
  return { grantee: { kind: "group", uri }, permission };
}

function policy(grants: string, owner = "<Owner><ID>o</ID></Owner>"): Uint8Array {
  const list = `<AccessControlList>${grants}</AccessControlList>`;
  return body(`<AccessControlPolicy>${owner}${list}</AccessControlPolicy>`);
}

function grant(type: string, inner: string, permission = "READ"): string {
  const grantee = `<Grantee ${XSI} xsi:type="${type}">${inner}</Grantee>`;
  return `<Grant>${grantee}<Permission>${permission}</Permission></Grant>`;
}

describe("documents", () => {
  test("are written as S3 writes them, and read back", () => {
    const grants = [user("o", "FULL_CONTROL"), group(ALL_USERS, "READ"), group("lab", "WRITE")];
    const document = aclDocument({ ownerId: "o", grants: grants.slice(0, 2) });
    assert.equal(
      document,
      documentText(
        "AccessControlPolicy",
        "<Owner><ID>o</ID><DisplayName>o</DisplayName></Owner><AccessControlList>" +
          grant("CanonicalUser", "<ID>o</ID><DisplayName>o</DisplayName>", "FULL_CONTROL") +
          grant("Group", `<URI>${ALL_USERS}</URI>`) +
          "</AccessControlList>",
      ),
    );
    const stored = body(aclDocument({ ownerId: "o", grants, displayName: (id) => `${id}!` }));
    assert.deepEqual(parseStoredAcl(stored), grants);
    assert.equal(parseAcl(stored).ownerId, "o");
    assert.deepEqual(fromAclRecord(toAclRecord(grants)), grants);
  });

  test("the three kinds of grantees, and type by any prefix or by the child", () => {
    const acl = parseAcl(
      policy(
        grant("AmazonCustomerByEmail", "<EmailAddress> a@b </EmailAddress>", "WRITE_ACP") +
          '<Grant><Grantee xmlns:i="x" i:type="Group"><URI>u</URI></Grantee><Permission>READ_ACP</Permission></Grant>' +
          "<Grant><Grantee><ID>x</ID></Grantee><Permission>WRITE</Permission></Grant>",
        "",
      ),
    );
    assert.equal(acl.ownerId, undefined);
    assert.deepEqual(acl.grants, [
      { grantee: { kind: "email", value: "a@b" }, permission: "WRITE_ACP" },
      { grantee: { kind: "group", value: "u" }, permission: "READ_ACP" },
      { grantee: { kind: "id", value: "x" }, permission: "WRITE" },
    ]);
  });

  test("refuses bad shapes with MalformedACLError, more than 100 grants too", () => {
    const one = grant("CanonicalUser", "<ID>x</ID>");
    assert.equal(parseAcl(policy(one.repeat(100))).grants.length, 100);
    for (const bytes of [
      body("<AccessControlPolicy/>"),
      body("no xml"),
      policy(one.repeat(101)),
      policy(grant("Group", "<ID>x</ID>")),
      policy(grant("Somebody", "<ID>x</ID>")),
      policy(grant("CanonicalUser", "<ID></ID>")),
      policy(grant("CanonicalUser", "<ID>x</ID>", "read")),
      policy("<Grant><Permission>READ</Permission></Grant>"),
      policy("<Grant><Grantee/><Permission>READ</Permission></Grant>"),
      policy(one, "<Owner/>"),
    ]) {
      expectS3Error("MalformedACLError", () => parseAcl(bytes));
    }
    const byEmail = policy(grant("AmazonCustomerByEmail", "<EmailAddress>a</EmailAddress>"));
    expectS3Error("MalformedACLError", () => parseStoredAcl(byEmail));
  });

  test("an owner cannot be changed", () => {
    checkAclOwner({ ownerId: "o", grants: [] }, "o");
    checkAclOwner({ ownerId: undefined, grants: [] }, "o");
    expectS3Error("AccessDenied", () => checkAclOwner({ ownerId: "p", grants: [] }, "o"));
  });
});

describe("canned lists", () => {
  const object = { ownerId: "u", bucketOwnerId: "b", subject: "object" } as const;
  const bucket = { ownerId: "b", bucketOwnerId: "b", subject: "bucket" } as const;

  test("stand for the grants of the user guide", () => {
    const own = user("u", "FULL_CONTROL");
    assert.deepEqual(cannedGrants("private", object), [own]);
    assert.deepEqual(cannedGrants("aws-exec-read", object), [own]);
    assert.deepEqual(cannedGrants("public-read", object), [own, group(ALL_USERS, "READ")]);
    assert.deepEqual(cannedGrants("public-read-write", object), [
      own,
      group(ALL_USERS, "READ"),
      group(ALL_USERS, "WRITE"),
    ]);
    assert.deepEqual(cannedGrants("authenticated-read", object), [
      own,
      group(AUTHENTICATED_USERS, "READ"),
    ]);
    assert.deepEqual(cannedGrants("bucket-owner-read", object), [own, user("b", "READ")]);
    assert.deepEqual(cannedGrants("bucket-owner-full-control", object), [
      own,
      user("b", "FULL_CONTROL"),
    ]);
    assert.deepEqual(cannedGrants("bucket-owner-read", bucket), [user("b", "FULL_CONTROL")]);
    assert.deepEqual(cannedGrants("bucket-owner-full-control", { ...object, bucketOwnerId: "u" }), [
      own,
    ]);
    assert.deepEqual(cannedGrants("log-delivery-write", bucket), [
      user("b", "FULL_CONTROL"),
      group(LOG_DELIVERY, "WRITE"),
      group(LOG_DELIVERY, "READ_ACP"),
    ]);
  });

  test("refuses unknown ones, and log delivery on objects", () => {
    const error = expectS3Error("InvalidArgument", () => parseCannedAcl("Private"));
    assert.deepEqual(error.details, [
      ["ArgumentName", "x-amz-acl"],
      ["ArgumentValue", "Private"],
    ]);
    expectS3Error("InvalidArgument", () => cannedGrants("log-delivery-write", object));
  });
});

describe("headers", () => {
  const parse = (...fields: HeaderField[]) => parseAclHeaders(new HeaderList(fields));

  test("canned, grants, none", () => {
    assert.deepEqual(parse(), { kind: "none" });
    assert.deepEqual(parse(["X-Amz-Acl", "private"]), { kind: "canned", name: "private" });
    const acl = parse(
      ["x-amz-grant-read", `uri="${ALL_USERS}", emailAddress="a@b"`],
      ["x-amz-grant-read", "id=x"],
      ["x-amz-grant-full-control", 'ID = "o"'],
    );
    assert.deepEqual(acl, {
      kind: "grants",
      grants: [
        { grantee: { kind: "id", value: "o" }, permission: "FULL_CONTROL" },
        { grantee: { kind: "group", value: ALL_USERS }, permission: "READ" },
        { grantee: { kind: "email", value: "a@b" }, permission: "READ" },
        { grantee: { kind: "id", value: "x" }, permission: "READ" },
      ],
    });
  });

  test("each header has its permission", () => {
    for (const permission of ["FULL_CONTROL", "WRITE", "WRITE_ACP", "READ", "READ_ACP"]) {
      const name = `x-amz-grant-${permission.toLowerCase().replaceAll("_", "-")}`;
      const acl = parse([name, "id=x"]);
      assert.equal(acl.kind === "grants" && acl.grants[0]?.permission, permission);
    }
  });

  test("refuses both kinds, bad grants, too many", () => {
    expectS3Error("InvalidRequest", () =>
      parse(["x-amz-acl", "private"], ["x-amz-grant-read", "id=x"]),
    );
    for (const text of ["x", "id", "id=", 'id=""', "name=x", 'id="x', 'id=x"y"', 'id=x;uri=y"z']) {
      expectS3Error("InvalidArgument", () => parse(["x-amz-grant-read", text]));
    }
    const many = Array.from({ length: 101 }, (_, index) => `id=u${index}`).join(",");
    expectS3Error("InvalidArgument", () => parse(["x-amz-grant-read", many]));
  });
});

describe("resolving", () => {
  const known = new Map([
    ["id a", "a"],
    ["email a@b", "a"],
    ["group lab", "lab"],
  ]);
  const resolve = async ({ kind, value }: { kind: string; value: string }) =>
    known.get(`${kind} ${value}`);
  const requested = (kind: "id" | "email" | "group", value: string) =>
    ({ grantee: { kind, value }, permission: "READ" }) as const;

  test("names become ids, repeats fall together", async () => {
    const grants = [
      requested("id", "a"),
      requested("email", "a@b"),
      requested("group", "lab"),
      requested("group", ALL_USERS),
    ];
    assert.deepEqual(await resolveGrants(grants, resolve), [
      user("a", "READ"),
      group("lab", "READ"),
      group(ALL_USERS, "READ"),
    ]);
  });

  test("unknown names are refused", async () => {
    const refusal = (kind: "id" | "email" | "group", code: S3ErrorCode) =>
      assert.rejects(resolveGrants([requested(kind, "zz")], resolve), (error) =>
        isS3Error(error, code),
      );
    await refusal("id", "InvalidArgument");
    await refusal("group", "InvalidArgument");
    await refusal("email", "UnresolvableGrantByEmailAddress");
  });
});

describe("evaluation", () => {
  const anonymous = { userId: undefined, groups: ["lab"] };
  const member = { userId: "m", groups: ["lab"] };

  test("by user, by group, by predefined group", () => {
    assert.equal(aclAllows([user("m", "READ")], member, "READ"), true);
    assert.equal(aclAllows([user("m", "READ")], member, "WRITE"), false);
    assert.equal(aclAllows([user("m", "FULL_CONTROL")], member, "WRITE_ACP"), true);
    assert.equal(aclAllows([user("x", "FULL_CONTROL")], member, "READ"), false);
    assert.equal(aclAllows([group("lab", "READ")], member, "READ"), true);
    assert.equal(aclAllows([group("lab", "READ")], anonymous, "READ"), false);
    assert.equal(aclAllows([group(ALL_USERS, "READ")], anonymous, "READ"), true);
    assert.equal(aclAllows([group(AUTHENTICATED_USERS, "READ")], anonymous, "READ"), false);
    assert.equal(aclAllows([group(AUTHENTICATED_USERS, "READ")], member, "READ"), true);
    const pretender = { userId: "m", groups: [LOG_DELIVERY] };
    assert.equal(aclAllows([group(LOG_DELIVERY, "WRITE")], pretender, "WRITE"), false);
    assert.equal(aclAllows([], member, "READ"), false);
  });

  test("public is what everybody has", () => {
    assert.equal(isPublicAcl([user("a", "READ"), group("lab", "READ")]), false);
    assert.equal(isPublicAcl([group(ALL_USERS, "READ_ACP")]), true);
    assert.equal(isPublicAcl([group(AUTHENTICATED_USERS, "READ")]), true);
    assert.equal(isPublicAcl([group(LOG_DELIVERY, "WRITE")]), false);
  });
});
