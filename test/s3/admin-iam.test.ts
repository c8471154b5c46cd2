// The query protocol of IAM and STS on the admin port: answers in XML as clients of AWS read them,
// the same rights as the admin API, the same records.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { parseXml, type XmlElement } from "../../services/lib/s3/xml-reader.ts";
import { auditLog } from "../unit/gateway/memory-audit.ts";
import { type AdminAnswer, AdminCaller } from "./admin-caller.ts";
import { textAt, textsOf } from "./caller.ts";
import { IdentityGateway, type Keys, ROOT } from "./identity-gateway.ts";

let cluster: IdentityGateway;
let root: AdminCaller;
let url: string;

before(async () => {
  cluster = await IdentityGateway.start({ admin: {} });
  url = `http://${cluster.gateway.running.adminAddress}`;
  root = new AdminCaller(url, ROOT);
});
after(() => cluster.stop());

const READ = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::b/*" }],
});

function iam(
  caller: AdminCaller,
  action: string,
  fields: Readonly<Record<string, string>> = {},
): Promise<AdminAnswer> {
  return caller.form({ Action: action, Version: "2010-05-08", ...fields });
}

/** The element ActionResult of an answer that must be 200. */
async function result(
  action: string,
  fields: Readonly<Record<string, string>> = {},
  caller = root,
): Promise<XmlElement> {
  const answer = await iam(caller, action, fields);
  assert.equal(answer.status, 200, answer.text);
  const document = parseXml(Buffer.from(answer.text));
  assert.equal(document.name, `${action}Response`);
  assert.ok(textAt(document, "ResponseMetadata", "RequestId"));
  const found = document.children.find(({ name }) => name === `${action}Result`);
  return found ?? document;
}

async function keyOf(user: string, caller = root): Promise<Keys> {
  const made = await result("CreateAccessKey", { UserName: user }, caller);
  return {
    accessKeyId: textAt(made, "AccessKey", "AccessKeyId") ?? "",
    secretAccessKey: textAt(made, "AccessKey", "SecretAccessKey") ?? "",
  };
}

test("a user comes without key, gets one, and goes when everything is off it", async () => {
  const made = await result("CreateUser", { UserName: "iam_umich" });
  assert.equal(textAt(made, "User", "Arn"), "arn:aws:iam:::user/iam_umich");
  assert.equal(
    (await iam(root, "CreateUser", { UserName: "iam_umich" })).code,
    "EntityAlreadyExists",
  );
  const keys = await keyOf("iam_umich");
  assert.equal((await cluster.caller(keys).call({ target: "/" })).status, 200);
  const update = { UserName: "iam_umich", AccessKeyId: keys.accessKeyId, Status: "Inactive" };
  assert.equal((await iam(root, "UpdateAccessKey", update)).status, 200);
  assert.equal((await cluster.caller(keys).call({ target: "/" })).status, 403);
  assert.equal((await iam(root, "DeleteUser", { UserName: "iam_umich" })).code, "DeleteConflict");
  const key = { UserName: "iam_umich", AccessKeyId: keys.accessKeyId };
  assert.equal((await iam(root, "DeleteAccessKey", key)).status, 200);
  assert.equal((await iam(root, "DeleteUser", { UserName: "iam_umich" })).status, 200);
  assert.equal((await iam(root, "GetUser", { UserName: "iam_umich" })).code, "NoSuchEntity");
});

test("users have paths, which change, and names, which do not", async () => {
  const name = { UserName: "path_umich" };
  const made = await result("CreateUser", { ...name, Path: "/staff/physics/" });
  assert.equal(textAt(made, "User", "Path"), "/staff/physics/");
  assert.equal(textAt(made, "User", "Arn"), "arn:aws:iam:::user/path_umich");
  const names = async (PathPrefix: string): Promise<string> =>
    JSON.stringify(await result("ListUsers", { PathPrefix }));
  assert.match(await names("/staff/"), /path_umich/);
  assert.doesNotMatch(await names("/students/"), /path_umich/);
  const moved = { ...name, NewPath: "/students/", NewUserName: "path_umich" };
  assert.equal((await iam(root, "UpdateUser", moved)).status, 200);
  assert.match(await names("/students/"), /path_umich/);
  const renamed = await iam(root, "UpdateUser", { ...name, NewUserName: "other_umich" });
  assert.deepEqual([renamed.status, renamed.code], [400, "ValidationError"]);
  for (const NewPath of ["", "staff/", "/staff", "/sta ff/", `/${"a".repeat(511)}/`]) {
    const bad = await iam(root, "UpdateUser", { ...name, NewPath });
    assert.deepEqual([bad.status, bad.code], [400, "ValidationError"], NewPath);
  }
  const gone = await iam(root, "UpdateUser", { UserName: "nobody_x", NewPath: "/" });
  assert.equal(gone.code, "NoSuchEntity");
  assert.equal(textAt(await result("GetUser", name), "User", "Path"), "/students/");
  assert.equal((await iam(root, "DeleteUser", name)).status, 200);
});

test("a user without name in the call is the caller, who manages only himself", async () => {
  await result("CreateUser", { UserName: "self_umich" });
  await result("CreateUser", { UserName: "other_umich" });
  const self = new AdminCaller(url, await keyOf("self_umich"));
  const me = await result("GetUser", {}, self);
  assert.equal(textAt(me, "User", "UserName"), "self_umich");
  await result("CreateAccessKey", {}, self);
  const mine = await result("ListAccessKeys", {}, self);
  const list = mine.children.find(({ name }) => name === "AccessKeyMetadata");
  assert.ok(list);
  assert.equal(textsOf(list, "member", "AccessKeyId").length, 2);
  for (const [action, fields] of [
    ["GetUser", { UserName: "other_umich" }],
    ["CreateAccessKey", { UserName: "other_umich" }],
    ["CreateUser", { UserName: "new_umich" }],
    ["ListUsers", {}],
    ["PutUserPolicy", { UserName: "self_umich", PolicyName: "p", PolicyDocument: READ }],
    ["CreatePolicy", { PolicyName: "p", PolicyDocument: READ }],
    ["AttachUserPolicy", { UserName: "self_umich", PolicyArn: "arn:aws:iam:::policy/p" }],
    ["CreateRole", { RoleName: "r", AssumeRolePolicyDocument: READ }],
    ["SimulatePrincipalPolicy", { PolicySourceArn: "arn:aws:iam:::user/other_umich" }],
  ] as const) {
    const answer = await iam(self, action, fields);
    assert.equal(answer.status, 403, `${action}: ${answer.text}`);
    assert.equal(answer.code, "AccessDenied");
  }
});

test("policies are put, read back as they were, listed, and say what they allow", async () => {
  await result("CreateUser", { UserName: "policy_umich" });
  const put = { UserName: "policy_umich", PolicyName: "p", PolicyDocument: READ };
  assert.equal((await iam(root, "PutUserPolicy", put)).status, 200);
  const got = await result("GetUserPolicy", { UserName: "policy_umich", PolicyName: "p" });
  assert.equal(decodeURIComponent(textAt(got, "PolicyDocument") ?? ""), READ);
  const bad = { ...put, PolicyDocument: "{}" };
  assert.equal((await iam(root, "PutUserPolicy", bad)).code, "MalformedPolicyDocument");
  const made = await result("CreatePolicy", { PolicyName: "shared", PolicyDocument: READ });
  const arn = textAt(made, "Policy", "Arn") ?? "";
  assert.equal(arn, "arn:aws:iam:::policy/shared");
  const attach = { UserName: "policy_umich", PolicyArn: "arn:aws:iam::000000000000:policy/shared" };
  assert.equal((await iam(root, "AttachUserPolicy", attach)).status, 200);
  const attached = await result("ListAttachedUserPolicies", { UserName: "policy_umich" });
  assert.equal(textAt(attached, "AttachedPolicies", "member", "PolicyArn"), arn);
  assert.equal((await iam(root, "DeletePolicy", { PolicyArn: arn })).code, "DeleteConflict");
  const simulated = await result("SimulatePrincipalPolicy", {
    PolicySourceArn: "arn:aws:iam:::user/policy_umich",
    "ActionNames.member.1": "s3:GetObject",
    "ActionNames.member.2": "s3:PutObject",
    "ResourceArns.member.1": "arn:aws:s3:::b/x",
  });
  const results = simulated.children.find(({ name }) => name === "EvaluationResults");
  assert.ok(results);
  assert.deepEqual(textsOf(results, "member", "EvalDecision"), ["allowed", "implicitDeny"]);
  const version = await result("GetPolicyVersion", { PolicyArn: arn, VersionId: "v1" });
  const document = textAt(version, "PolicyVersion", "Document") ?? "";
  assert.equal(decodeURIComponent(document), READ);
});

test("groups and roles by IAM", async () => {
  await result("CreateUser", { UserName: "member_umich" });
  await result("CreateGroup", { GroupName: "staff" });
  const member = { GroupName: "staff", UserName: "member_umich" };
  assert.equal((await iam(root, "AddUserToGroup", member)).status, 200);
  const group = await result("GetGroup", { GroupName: "staff" });
  assert.equal(textAt(group, "Users", "member", "UserName"), "member_umich");
  const groups = await result("ListGroupsForUser", { UserName: "member_umich" });
  assert.equal(textAt(groups, "Groups", "member", "GroupName"), "staff");
  assert.equal((await iam(root, "DeleteGroup", { GroupName: "staff" })).code, "DeleteConflict");
  assert.equal((await iam(root, "RemoveUserFromGroup", member)).status, 200);
  assert.equal((await iam(root, "DeleteGroup", { GroupName: "staff" })).status, 200);
  const trust = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { AWS: "arn:aws:iam:::user/member_umich" },
        Action: "sts:AssumeRole",
      },
    ],
  });
  const role = { RoleName: "reader", AssumeRolePolicyDocument: trust };
  assert.equal(
    textAt(await result("CreateRole", role), "Role", "Arn"),
    "arn:aws:iam:::role/reader",
  );
  const put = { RoleName: "reader", PolicyName: "p", PolicyDocument: READ };
  assert.equal((await iam(root, "PutRolePolicy", put)).status, 200);
  const names = await result("ListRolePolicies", { RoleName: "reader" });
  assert.equal(textAt(names, "PolicyNames", "member"), "p");
  assert.equal((await iam(root, "DeleteRole", { RoleName: "reader" })).status, 200);
});

test("boundaries of users and roles are set, shown, count, and go", async () => {
  const arn = "arn:aws:iam:::policy/within";
  await result("CreatePolicy", { PolicyName: "within", PolicyDocument: READ });
  const user = { UserName: "bound_umich" };
  await result("CreateUser", user);
  const caller = cluster.caller(await keyOf("bound_umich"));
  assert.equal((await caller.call({ target: "/" })).status, 200);
  assert.equal(textAt(await result("GetUser", user), "User", "PermissionsBoundary"), undefined);
  const bound = { ...user, PermissionsBoundary: arn };
  assert.equal((await iam(root, "PutUserPermissionsBoundary", bound)).status, 200);
  const shown = await result("GetUser", user);
  assert.equal(textAt(shown, "User", "PermissionsBoundary", "PermissionsBoundaryArn"), arn);
  assert.equal(textAt(shown, "User", "PermissionsBoundary", "PermissionsBoundaryType"), "Policy");
  assert.equal((await caller.call({ target: "/" })).status, 403, "it counts at once");
  assert.equal((await iam(root, "DeleteUserPermissionsBoundary", user)).status, 200);
  assert.equal((await caller.call({ target: "/" })).status, 200);

  const refusals = [
    ["PutUserPermissionsBoundary", { ...user, PermissionsBoundary: `${arn}-not` }, "NoSuchEntity"],
    ["PutUserPermissionsBoundary", user, "ValidationError"],
    ["PutUserPermissionsBoundary", { ...bound, UserName: "nobody_x" }, "NoSuchEntity"],
    ["DeleteRolePermissionsBoundary", { RoleName: "nobody" }, "NoSuchEntity"],
  ] as const;
  for (const [action, fields, code] of refusals) {
    assert.equal((await iam(root, action, fields)).code, code, action);
  }
  const theirs = new AdminCaller(url, await keyOf("bound_umich"));
  assert.equal((await iam(theirs, "PutUserPermissionsBoundary", bound)).code, "AccessDenied");

  const trust = READ.replace('"Resource":"arn:aws:s3:::b/*"', '"Principal":{"AWS":"*"}').replace(
    "s3:GetObject",
    "sts:AssumeRole",
  );
  const role = { RoleName: "bounded" };
  const wish = { ...role, AssumeRolePolicyDocument: trust, PermissionsBoundary: arn };
  const path = ["Role", "PermissionsBoundary", "PermissionsBoundaryArn"] as const;
  assert.equal(textAt(await result("CreateRole", wish), ...path), arn);
  assert.equal((await iam(root, "DeleteRolePermissionsBoundary", role)).status, 200);
  assert.equal(textAt(await result("GetRole", role), ...path), undefined);
  const again = { ...role, PermissionsBoundary: arn };
  assert.equal((await iam(root, "PutRolePermissionsBoundary", again)).status, 200);
  assert.equal(textAt(await result("GetRole", role), ...path), arn);
  assert.equal((await iam(root, "DeletePolicy", { PolicyArn: arn })).code, "DeleteConflict");
  const second = { UserName: "born_umich", PermissionsBoundary: arn };
  const made = await result("CreateUser", second);
  assert.equal(textAt(made, "User", "PermissionsBoundary", "PermissionsBoundaryArn"), arn);
});

test("what STS was asked for is written to the audit log, like any other change", async () => {
  const { audit, sink } = auditLog();
  const here = await cluster.beside({ admin: {}, dependencies: { audit } });
  try {
    const place = `http://${here.gateway.running.adminAddress}`;
    const nobody = new AdminCaller(place, {
      accessKeyId: "NOBODY",
      secretAccessKey: "x".repeat(9),
    });
    const ask = (caller: AdminCaller, Action: string) =>
      caller.form({ Action, Version: "2011-06-15" });
    const caller = new AdminCaller(place, ROOT);
    assert.equal((await ask(caller, "GetCallerIdentity")).status, 200);
    assert.equal((await ask(caller, "GetSessionToken")).status, 200);
    assert.equal((await ask(nobody, "GetSessionToken")).status, 403);
  } finally {
    await here.stop();
    await audit.close();
  }
  assert.deepEqual(
    sink.lines.map(({ kind, action, result: outcome, who }) => [kind, action, outcome, who]),
    [
      ["admin", "GetSessionToken", "ok", "root"],
      ["admin", "GetSessionToken", "InvalidClientTokenId", "anonymous"],
    ],
  );
  assert.equal(JSON.stringify(sink.lines).includes(ROOT.secretAccessKey), false);
});

test("lists are cut by MaxItems and go on by Marker", async () => {
  for (const name of ["list_a", "list_b", "list_c"]) await result("CreateUser", { UserName: name });
  const names: string[] = [];
  let marker: string | undefined = "list_";
  while (marker !== undefined) {
    const page = await result("ListUsers", { MaxItems: "1", Marker: marker });
    const users = page.children.find(({ name }) => name === "Users");
    names.push(...(users === undefined ? [] : textsOf(users, "member", "UserName")));
    marker = textAt(page, "Marker");
  }
  assert.deepEqual(
    names.filter((name) => name.startsWith("list_")),
    ["list_a", "list_b", "list_c"],
  );
  assert.equal((await iam(root, "ListUsers", { MaxItems: "0" })).code, "ValidationError");
});

test("the same port answers STS, and refuses what nobody signed", async () => {
  const who = await root.form({ Action: "GetCallerIdentity", Version: "2011-06-15" });
  assert.equal(who.status, 200, who.text);
  assert.match(who.text, /<Arn>arn:aws:/);
  const nobody = new AdminCaller(url);
  assert.equal((await iam(nobody, "ListUsers")).code, "MissingAuthenticationToken");
  assert.equal((await iam(root, "TagUser", { UserName: "root" })).code, "InvalidAction");
  assert.equal((await iam(root, "CreateUser")).code, "ValidationError");
  const wrong = new AdminCaller(url, { ...ROOT, secretAccessKey: "not the secret" });
  assert.equal((await iam(wrong, "ListUsers")).code, "SignatureDoesNotMatch");
});
