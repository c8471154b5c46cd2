// Policies of every kind: what each takes and refuses, the bounds of size and depth, keys that come
// twice, names of prototypes; scopes of tokens, trust, simulation and explanations.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TokenAccess } from "../../../services/lib/gen/dolium/record/v1/identity_pb.ts";
import { evaluate } from "../../../services/lib/iam/evaluate.ts";
import { explainDecision } from "../../../services/lib/iam/explain.ts";
import type { DecidedBy } from "../../../services/lib/iam/model.ts";
import {
  IDENTITY_POLICY_BYTES_MAX,
  mergePolicies,
  parseIdentityPolicy,
  parseSessionPolicy,
  parseTrustPolicy,
  SESSION_POLICY_BYTES_MAX,
  TRUST_POLICY_BYTES_MAX,
} from "../../../services/lib/iam/policy.ts";
import { simulate } from "../../../services/lib/iam/simulate.ts";
import { tokenScopePolicy } from "../../../services/lib/iam/token-scope.ts";
import { evaluateTrust } from "../../../services/lib/iam/trust.ts";
import { expectS3Error } from "../s3/expect-s3-error.ts";
import {
  ALL,
  ANONYMOUS,
  BUCKET_ARN,
  bucket,
  document,
  type Json,
  named,
  request,
  user,
  variable,
} from "./setting.ts";

const TRUST: Json = { Effect: "Allow", Principal: { AWS: "bob_wayne" }, Action: "sts:AssumeRole" };

const KINDS = [
  ["identity", parseIdentityPolicy, IDENTITY_POLICY_BYTES_MAX, ALL],
  ["session", parseSessionPolicy, SESSION_POLICY_BYTES_MAX, ALL],
  ["trust", parseTrustPolicy, TRUST_POLICY_BYTES_MAX, TRUST],
] as const;

describe("every kind", () => {
  for (const [name, parse, bytesMax, statement] of KINDS) {
    const text = document(statement);

    test(`${name}: as long as it may be, and not a byte more`, () => {
      assert.equal(parse(text.padEnd(bytesMax, " ")).statements.length, 1);
      expectS3Error("PolicyTooLarge", () => parse(text.padEnd(bytesMax + 1, " ")));
    });

    test(`${name}: JSON that another reader could take otherwise is refused`, () => {
      const inner = JSON.stringify(statement).slice(1, -1);
      for (const bad of [
        `{"Statement":[{${inner}}],"Statement":[{${inner}}]}`,
        `{"Statement":[{${inner},"Effect":"Deny"}]}`,
        `{"Statement":[{${inner},"\\u0045ffect" \n : "Deny"}]}`,
        `{"Statement":[{${inner},"Condition":{"Bool":{"aws:x":"true"},"Bool":{"aws:y":"true"}}}]}`,
        `{"Statement":[{${inner},"Condition":{"Bool":{"aws:x":"true","aws:x":"false"}}}]}`,
        `{"Statement":[{${inner},"Sid":${"[".repeat(20)}${"]".repeat(20)}}]}`,
        `{"Statement":[{${inner}}],}`,
        `{"Statement":[{${inner}}]} x`,
        `{'Statement':[{${inner}}]}`,
        `\ufeff{"Statement":[{${inner}}]}`,
        "[".repeat(bytesMax),
        `{"Statement":${"[".repeat(bytesMax - 20)}`,
        `{"Statement":[{${inner}}],"__proto__":{"x":1}}`,
        `{"Statement":[{${inner},"constructor":1}]}`,
        `{"Statement":[{${inner},"Condition":{"__proto__":{"aws:x":"y"}}}]}`,
        `{"Statement":[{${inner},"Condition":{"toString":{"aws:x":"y"}}}]}`,
        "",
        "null",
      ]) {
        expectS3Error("MalformedPolicy", () => parse(bad));
      }
      expectS3Error("MalformedPolicy", () => parse(Uint8Array.from([0x7b, 0xff, 0x7d])));
      const deep = `{"Statement":${"[".repeat(10)}${"]".repeat(10)}}`;
      assert.match(expectS3Error("MalformedPolicy", () => parse(deep)).message, /too deeply/);
      const twice = `{"Statement":[{${inner},"Sid":"Effect: \\" Sid"}],"Id":"Id"}`;
      assert.equal(parse(twice).statements[0]?.sid, 'Effect: " Sid');
    });

    test(`${name}: what a statement cannot have is refused`, () => {
      for (const change of [
        { Effect: "allow" },
        { Effect: ["Allow"] },
        { Action: "GetObject" },
        { Action: [] },
        { Action: ["sts:AssumeRole", 1] },
        { NotAction: "s3:*" },
        { Sid: 7 },
        { Other: "x" },
        { Condition: { StringEquals: { "aws:x": { y: "z" } } } },
        { Condition: { "ForAllValue:StringEquals": { "aws:x": "y" } } },
      ]) {
        expectS3Error("MalformedPolicy", () => parse(document({ ...statement, ...change })));
      }
    });
  }
});

describe("kinds differ", () => {
  test("identities have no principal, and any action and resource", () => {
    for (const change of [
      { Principal: "*" },
      { NotPrincipal: "*" },
      { Principal: undefined, Resource: 1 },
    ]) {
      expectS3Error("MalformedPolicy", () => parseIdentityPolicy(document({ ...ALL, ...change })));
    }
    for (const Resource of [
      ...["*", "arn:aws:s3:::b/*", "arn:aws:iam::111122223333:user/*", "arn:*:s3:*:*:b"],
      `arn:aws:s3:::b/${variable("aws:username")}`,
    ]) {
      assert.equal(parseIdentityPolicy(document({ ...ALL, Resource })).statements.length, 1);
    }
    for (const Resource of [
      ...["b/*", "arn:aws:s3", "arn:aws:s3:::", "arn:::::b", "*/*", ""],
      `arn:aws:${variable("aws:x")}:::b`,
    ]) {
      expectS3Error("MalformedPolicy", () => parseIdentityPolicy(document({ ...ALL, Resource })));
    }
    for (const Action of ["*", "s3:*", "iam:Create?ser", "dolium:DrainNode", "ec2:*"]) {
      assert.equal(parseIdentityPolicy(document({ ...ALL, Action })).statements.length, 1);
    }
  });

  test("trust has principals, actions of STS and no resources", () => {
    assert.equal(parseTrustPolicy(document(TRUST)).statements[0]?.resources, undefined);
    for (const change of [
      { Resource: "*" },
      { NotResource: "arn:aws:iam:::role/x" },
      { Action: "s3:GetObject" },
      { Principal: undefined },
      { Principal: { AWS: "bob" } },
    ]) {
      expectS3Error("MalformedPolicy", () => parseTrustPolicy(document({ ...TRUST, ...change })));
    }
  });

  test("older versions know no variables", () => {
    const resource = `arn:aws:s3:::b/${variable("aws:username")}`;
    const old = { Version: "2008-10-17", Statement: { ...ALL, Resource: resource } };
    const policies = [{ source: "p", policy: parseIdentityPolicy(JSON.stringify(old)) }];
    const context = new Map([["aws:username", ["bob_wayne"]]]);
    const change = { principal: user("bob_wayne", { policies }), context };
    assert.equal(evaluate(request({ ...change, resource })).allowed, true);
    const expanded = { ...change, resource: "arn:aws:s3:::b/bob_wayne" };
    assert.equal(evaluate(request(expanded)).allowed, false);
  });
});

describe("scopes of tokens", () => {
  const { READ, READ_WRITE, WRITE, UNSPECIFIED } = TokenAccess;
  const base = { tokenId: "0123456789abcdef", buckets: [], access: READ_WRITE, networks: [] };

  function may(
    scope: Partial<Parameters<typeof tokenScopePolicy>[0]>,
    action: string,
    change: { readonly resource?: string; readonly from?: string } = {},
  ): boolean {
    const bounds = [tokenScopePolicy({ ...base, ...scope })];
    const principal = user("alice_umich", { bounds, administrator: true });
    const context = new Map([["aws:sourceip", [change.from ?? "10.0.0.1"]]]);
    const resource = change.resource ?? `${BUCKET_ARN}/key`;
    return evaluate(request({ principal, action, resource, context })).allowed;
  }

  test("reading and writing", () => {
    for (const [action, read, write] of [
      ["s3:GetObject", true, false],
      ["s3:ListBucket", true, false],
      ["s3:GetBucketPolicy", true, false],
      ["s3:PutObject", false, true],
      ["s3:DeleteObject", false, true],
      ["s3:PutObjectTagging", false, true],
      ["s3:ListMultipartUploadParts", true, true],
      ["s3:PutObjectAcl", false, false],
      ["s3:PutBucketPolicy", false, false],
      ["s3:BypassGovernanceRetention", false, false],
      ["iam:ListUsers", true, false],
      ["iam:CreateAccessKey", false, false],
      ["dolium:DrainNode", false, false],
    ] as const) {
      assert.equal(may({ access: READ }, action), read, `read ${action}`);
      assert.equal(may({ access: WRITE }, action), write, `write ${action}`);
      assert.equal(may({}, action), true, action);
      assert.equal(may({ access: UNSPECIFIED }, action), false, action);
    }
  });

  test("named buckets, and those alone", () => {
    const scope = { buckets: ["data"] };
    assert.equal(may(scope, "s3:PutObject"), true);
    assert.equal(may(scope, "s3:ListBucket", { resource: BUCKET_ARN }), true);
    for (const resource of ["arn:aws:s3:::data2/key", "arn:aws:s3:::data2", "arn:aws:s3:::dat"]) {
      assert.equal(may(scope, "s3:PutObject", { resource }), false, resource);
    }
    assert.equal(may(scope, "s3:ListAllMyBuckets", { resource: "*" }), false);
    assert.equal(may(scope, "dolium:PutBucketQuota", { resource: BUCKET_ARN }), false);
    assert.equal(may(scope, "iam:CreateAccessKey", { resource: "arn:aws:iam:::user/x" }), false);
  });

  test("networks", () => {
    const scope = { networks: ["192.0.2.0/24", "2001:db8::/32"] };
    assert.equal(may(scope, "s3:GetObject", { from: "192.0.2.9" }), true);
    assert.equal(may(scope, "s3:GetObject", { from: "2001:db8::9" }), true);
    assert.equal(may(scope, "s3:GetObject", { from: "198.51.100.9" }), false);
    assert.equal(may(scope, "s3:GetObject", { from: "unknown" }), false);
    assert.equal(may({ networks: ["nonsense"] }, "s3:GetObject"), false);
  });
});

describe("trust", () => {
  const ask = (caller: Parameters<typeof evaluateTrust>[0]["caller"], ...statements: Json[]) =>
    evaluateTrust({
      caller,
      action: caller.kind === "federated" ? "sts:AssumeRoleWithWebIdentity" : "sts:AssumeRole",
      role: "arn:aws:iam:::role/reader",
      trust: { source: "trust", policy: parseTrustPolicy(document(...statements)) },
      context: new Map([["login.example:sub", ["42"]]]),
    });
  const bob = user("bob_wayne");

  test("lets in whom it names", () => {
    assert.equal(ask(bob, TRUST).allowed, true);
    assert.equal(ask(user("carl_msu"), TRUST).allowed, false);
    assert.equal(ask(user("root", { administrator: true }), TRUST).allowed, false);
    assert.equal(ask(ANONYMOUS, { ...TRUST, Principal: "*" }).allowed, false);
    assert.equal(ask(user("carl_msu"), { ...TRUST, Principal: "*" }).allowed, true);
    assert.equal(ask(bob, { ...TRUST, Action: "sts:AssumeRoleWithWebIdentity" }).allowed, false);
  });

  test("denials of the trust, of the caller's policies, and his bounds hold", () => {
    const everybody = { ...TRUST, Effect: "Deny", Principal: "*" };
    assert.equal(ask(bob, TRUST, everybody).by.rule, "explicit-deny");
    const deny = named("p", { Effect: "Deny", Action: "sts:*", Resource: "*" });
    assert.equal(ask(user("bob_wayne", { policies: [deny] }), TRUST).by.rule, "explicit-deny");
    const scope = named("scope", { Effect: "Allow", Action: "s3:*", Resource: "*" });
    assert.equal(ask(user("bob_wayne", { bounds: [scope] }), TRUST).by.rule, "outside-bound");
    const role = { Effect: "Allow", Action: "sts:*", Resource: "arn:aws:iam::1:role/reader" };
    assert.equal(ask(user("bob_wayne", { bounds: [named("b", role)] }), TRUST).allowed, true);
  });

  test("federated callers by their provider and what it says of them", () => {
    const web = {
      Effect: "Allow",
      Principal: { Federated: "https://login.example" },
      Action: "sts:AssumeRoleWithWebIdentity",
      Condition: { StringEquals: { "login.example:sub": "42" } },
    };
    const caller = { kind: "federated", provider: "https://login.example" } as const;
    assert.equal(ask(caller, web).allowed, true);
    assert.equal(ask({ ...caller, provider: "https://evil.example" }, web).allowed, false);
    const other = { ...web, Condition: { StringEquals: { "login.example:sub": "43" } } };
    assert.equal(ask(caller, other).allowed, false);
    assert.equal(ask(bob, web).allowed, false);
  });
});

test("simulation: each action on each resource, as AWS names the outcomes", () => {
  const policy = named(
    "p",
    { Effect: "Allow", Action: "s3:Get*", Resource: "*" },
    { Effect: "Deny", Action: "s3:*", Resource: `${BUCKET_ARN}/secret` },
  );
  const results = simulate({
    principal: user("bob_wayne", { policies: [policy] }),
    actions: ["s3:GetObject", "s3:PutObject"],
    resources: [`${BUCKET_ARN}/key`, `${BUCKET_ARN}/secret`],
    context: new Map(),
    bucketOf: (name) => (name === "data" ? bucket() : undefined),
  });
  assert.deepEqual(
    results.map(({ action, outcome }) => [action, outcome]),
    [
      ["s3:GetObject", "allowed"],
      ["s3:GetObject", "explicitDeny"],
      ["s3:PutObject", "implicitDeny"],
      ["s3:PutObject", "explicitDeny"],
    ],
  );
  const owner = { principal: user("alice_umich"), actions: ["s3:PutObject"], context: new Map() };
  const bucketOf = () => bucket();
  const [onBucket] = simulate({ ...owner, resources: [`${BUCKET_ARN}/x`], bucketOf });
  assert.equal(onBucket?.explanation, "Allowed: the bucket belongs to the caller.");
  const [onNothing] = simulate({ ...owner, resources: [], bucketOf });
  assert.deepEqual([onNothing?.resource, onNothing?.outcome], ["*", "implicitDeny"]);
});

test("explanations say rule and place in one sentence", () => {
  const place = { source: "inline backup of user bob_wayne", statement: 1, sid: "nightly" };
  const sentences: readonly (readonly [boolean, DecidedBy, RegExp])[] = [
    [false, { rule: "explicit-deny", ...place }, /^Denied: statement 2 \("nightly"\) of inline b/],
    [true, { rule: "policy-allow", ...place, sid: undefined }, /^Allowed: statement 2 of inline b/],
    [false, { rule: "outside-bound", source: "scope of access token 1" }, /^Denied: scope of a/],
    [false, { rule: "restricted-public-bucket" }, /public access block/],
    [true, { rule: "administrator" }, /administrators/],
    [true, { rule: "bucket-owner" }, /bucket belongs/],
    [true, { rule: "object-owner" }, /object belongs/],
    [true, { rule: "acl-grant", source: "object", permission: "READ" }, /list of the object.*READ/],
    [true, { rule: "own-affairs" }, /himself/],
    [false, { rule: "unknown-action" }, /no such action/],
    [false, { rule: "no-rule-allows" }, /nothing is open by default/],
  ];
  for (const [allowed, by, expected] of sentences) {
    const text = explainDecision({ allowed, by });
    assert.match(text, expected);
    assert.match(text, /^(?:Allowed|Denied): [^\n.]+\.$/);
  }
});

test("merged policies of both versions mean what each of them means", () => {
  const spelled = variable("aws:username");
  const old = parseIdentityPolicy(
    JSON.stringify({
      Version: "2008-10-17",
      Statement: { Effect: "Deny", Action: "*", Resource: `${BUCKET_ARN}/${spelled}` },
    }),
  );
  const recent = parseIdentityPolicy(document(ALL));
  const principal = user("bob_wayne", {
    policies: [{ source: "both", policy: mergePolicies([old, recent]) }],
  });
  const asked = (key: string): boolean =>
    evaluate(
      request({
        principal,
        resource: `${BUCKET_ARN}/${key}`,
        context: new Map([["aws:username", ["bob_wayne"]]]),
      }),
    ).allowed;
  assert.equal(asked("bob_wayne"), true);
  assert.equal(asked(spelled), false);
});
