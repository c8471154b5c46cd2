// The order of the rules, one by one, each with the case beside it that goes the other way; and the
// cases of SECURITY (10), (11) and (26).
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { evaluate } from "../../../services/lib/iam/evaluate.ts";
import { S3_ACTIONS } from "../../../services/lib/iam/permissions.ts";
import {
  type AclGrant,
  ALL_USERS,
  AUTHENTICATED_USERS,
  LOG_DELIVERY,
} from "../../../services/lib/s3/settings/acl.ts";
import {
  ADMINISTRATOR,
  ALL,
  ANONYMOUS,
  BUCKET_ARN,
  bucket,
  bucketPolicy,
  everybody,
  identityPolicy,
  type Json,
  named,
  OBJECTS,
  OWNER,
  request,
  ruleOf,
  user,
  variable,
  withPolicy,
} from "./setting.ts";

const READING = { Effect: "Allow", Action: "s3:Get*", Resource: "*" };

function grant(to: string, permission: AclGrant["permission"]): AclGrant {
  const isGroup = to.includes("/") || to === "staff_umich";
  const grantee = isGroup
    ? ({ kind: "group", uri: to } as const)
    : ({ kind: "user", id: to } as const);
  return { grantee, permission };
}

describe("default", () => {
  test("nothing is open, but to the owner and administrators", () => {
    assert.equal(ruleOf({}), "-no-rule-allows");
    assert.equal(ruleOf({ principal: ANONYMOUS }), "-no-rule-allows");
    assert.equal(ruleOf({ principal: OWNER }), "bucket-owner");
    assert.equal(ruleOf({ principal: ADMINISTRATOR }), "administrator");
  });

  test("what is no action is allowed to nobody", () => {
    for (const action of [
      "s3:GetEverything",
      "s3:getobject",
      "GetObject",
      "s3:*",
      "",
      "s3:__proto__",
    ]) {
      for (const principal of [OWNER, ADMINISTRATOR]) {
        assert.equal(ruleOf({ principal, action }), "-unknown-action", action);
      }
    }
  });

  test("ownership of a bucket says nothing about other services", () => {
    const facts = withPolicy({ ...everybody(), Action: "*" });
    for (const action of ["dolium:SetQuota", "iam:CreateUser"]) {
      assert.equal(ruleOf({ principal: OWNER, action, bucket: facts }), "-no-rule-allows");
    }
  });

  test("services that hold no name of a user own nothing", () => {
    const session = user("alice_umich", {
      arn: "arn:aws:sts:::assumed-role/reader/one",
      ownsByName: false,
    });
    assert.equal(ruleOf({ principal: session }), "-no-rule-allows");
    assert.equal(ruleOf({ principal: session, action: "s3:CreateBucket" }), "-no-rule-allows");
  });
});

describe("explicit denial", () => {
  const deny: Json = { Effect: "Deny", Action: "s3:GetObject", Resource: OBJECTS };

  test("outweighs everything that allows", () => {
    const denied = withPolicy(everybody({ Effect: "Deny" }), everybody());
    for (const principal of [OWNER, ADMINISTRATOR, user("bob_wayne"), ANONYMOUS]) {
      assert.equal(ruleOf({ principal, bucket: denied }), "-explicit-deny");
    }
    const administrator = user("carl_msu", {
      administrator: true,
      policies: [named("inline p of user carl_msu", ALL, deny)],
    });
    const decision = evaluate(request({ principal: administrator }));
    assert.deepEqual(decision, {
      allowed: false,
      by: {
        rule: "explicit-deny",
        source: "inline p of user carl_msu",
        statement: 1,
        sid: undefined,
      },
    });
  });

  test("in a bound denies, too", () => {
    const principal = user("alice_umich", { bounds: [named("boundary", ALL, deny)] });
    assert.equal(ruleOf({ principal }), "-explicit-deny");
  });

  test("CVE-2023-25812: a denial of the bypass of governance holds for the owner", () => {
    const facts = withPolicy(everybody({ Effect: "Deny", Action: "s3:BypassGovernanceRetention" }));
    const action = "s3:BypassGovernanceRetention";
    assert.equal(ruleOf({ principal: OWNER, bucket: facts, action }), "-explicit-deny");
    assert.equal(ruleOf({ principal: OWNER, action }), "bucket-owner");
  });

  test("never keeps owner and administrators from the bucket's policy", () => {
    const all = { Action: "s3:*", Resource: [BUCKET_ARN, OBJECTS], Effect: "Deny" };
    const facts = withPolicy(everybody(all));
    for (const action of ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"]) {
      const change = { bucket: facts, action, resource: BUCKET_ARN };
      assert.equal(ruleOf({ ...change, principal: OWNER }), "bucket-owner");
      assert.equal(ruleOf({ ...change, principal: ADMINISTRATOR }), "administrator");
      assert.equal(ruleOf({ ...change, principal: user("bob_wayne") }), "-explicit-deny");
      const own = user("alice_umich", { policies: [named("p", { ...all, Resource: "*" })] });
      assert.equal(ruleOf({ ...change, principal: own }), "-explicit-deny");
    }
    const change = { bucket: facts, action: "s3:GetBucketAcl", resource: BUCKET_ARN };
    assert.equal(ruleOf({ ...change, principal: OWNER }), "-explicit-deny");
  });
});

describe("bounds", () => {
  const read = named("session policy", { Effect: "Allow", Action: "s3:Get*", Resource: "*" });
  const write = { action: "s3:PutObject" };

  test("let only pass what each of them allows, of owners and administrators too", () => {
    for (const base of [OWNER, ADMINISTRATOR]) {
      assert.equal(ruleOf({ principal: { ...base, bounds: [read] }, ...write }), "-outside-bound");
      assert.notEqual(ruleOf({ principal: { ...base, bounds: [read] } })[0], "-");
      const none = named("boundary", { Effect: "Allow", Action: "iam:*", Resource: "*" });
      const both = { ...base, bounds: [read, none] };
      assert.equal(ruleOf({ principal: both }), "-outside-bound");
    }
  });

  test("allow nothing by themselves", () => {
    const principal = user("bob_wayne", { bounds: [named("boundary", ALL)] });
    assert.equal(ruleOf({ principal }), "-no-rule-allows");
  });

  test("CVE-2025-62506: a session policy that only denies allows nothing", () => {
    const denial = { Effect: "Deny", Action: "s3:PutObject", Resource: "*" };
    const principal = user("alice_umich", { bounds: [named("session policy", denial)] });
    assert.equal(ruleOf({ principal }), "-outside-bound");
    assert.equal(ruleOf({ principal, ...write }), "-explicit-deny");
  });

  test("hold what the bucket's policy and grants allow within them", () => {
    const principal = user("bob_wayne", { bounds: [read] });
    const facts = withPolicy(everybody({ Action: ["s3:GetObject", "s3:PutObject"] }));
    assert.equal(ruleOf({ principal, bucket: facts }), "policy-allow");
    assert.equal(ruleOf({ principal, bucket: facts, ...write }), "-outside-bound");
  });
});

describe("policies", () => {
  const allow: Json = { Sid: "one", Effect: "Allow", Action: "s3:GetObject", Resource: OBJECTS };

  test("of an identity allow; the place of the statement is told", () => {
    const principal = user("bob_wayne", { policies: [named("inline p", { ...allow })] });
    assert.deepEqual(evaluate(request({ principal })).by, {
      rule: "policy-allow",
      source: "inline p",
      statement: 0,
      sid: "one",
    });
    assert.equal(ruleOf({ principal, action: "s3:PutObject" }), "-no-rule-allows");
    assert.equal(ruleOf({ principal, resource: "arn:aws:s3:::other/key" }), "-no-rule-allows");
  });

  test("of a bucket name whom they mean, in each of the forms", () => {
    const service = user("bob_wayne", { arn: "arn:aws:iam:::user/bob_wayne.robot" });
    const session = user("bob_wayne", {
      arn: "arn:aws:sts:::assumed-role/reader/one",
      ownsByName: false,
    });
    const staff = user("carl_msu", { groups: ["staff_umich"] });
    const bob = user("bob_wayne");
    for (const [principal, who, expected] of [
      ["*", ANONYMOUS, true],
      [{ AWS: "*" }, ANONYMOUS, true],
      [{ AWS: "arn:aws:iam:::user/bob_wayne" }, bob, true],
      [{ AWS: "arn:aws:iam::111122223333:user/bob_wayne" }, bob, true],
      [{ AWS: "arn:aws:iam:::user/people/bob_wayne" }, bob, true],
      [{ AWS: "bob_wayne" }, bob, true],
      [{ CanonicalUser: "bob_wayne" }, bob, true],
      [{ CanonicalUser: "bob_wayne" }, ANONYMOUS, false],
      [{ AWS: "bob_wayne" }, user("carl_msu"), false],
      [{ AWS: "arn:aws:iam:::user/bob_wayne" }, service, true],
      [{ AWS: "arn:aws:iam:::user/bob_wayne.robot" }, service, true],
      [{ AWS: "arn:aws:iam:::user/bob_wayne.robot" }, bob, false],
      [{ AWS: "arn:aws:iam:::user/bob_wayne" }, session, false],
      [{ AWS: "arn:aws:iam:::role/reader" }, session, true],
      [{ AWS: "arn:aws:iam:::role/writer" }, session, false],
      [{ AWS: "arn:aws:sts:::assumed-role/reader/one" }, session, true],
      [{ AWS: "arn:aws:sts:::assumed-role/reader/two" }, session, false],
      [{ AWS: "arn:aws:iam:::group/staff_umich" }, staff, true],
      [{ AWS: "arn:aws:iam:::group/staff_umich" }, bob, false],
      [{ AWS: "111122223333" }, bob, false],
      [{ AWS: "arn:aws:iam::111122223333:root" }, bob, false],
      [{ AWS: "arn:aws:iam::111122223333:root" }, user("root"), true],
      [{ Service: "logging.s3.amazonaws.com" }, bob, false],
      [{ Federated: "bob_wayne" }, bob, false],
    ] as const) {
      const facts = withPolicy(everybody({ Principal: principal }));
      const isAllowed = evaluate(request({ principal: who, bucket: facts })).allowed;
      assert.equal(isAllowed, expected, JSON.stringify([principal, who]));
    }
  });

  test("that name nobody, in a bucket's place, concern nobody", () => {
    const facts = bucket({ policy: identityPolicy(ALL) });
    assert.equal(ruleOf({ bucket: facts }), "-no-rule-allows");
    assert.equal(ruleOf({ bucket: facts, principal: ANONYMOUS }), "-no-rule-allows");
  });

  test("negated lists mean all others", () => {
    const { Principal: _, ...rest } = everybody({ Effect: "Deny" });
    const facts = withPolicy({ ...rest, NotPrincipal: { AWS: "alice_umich" } });
    assert.equal(ruleOf({ principal: OWNER, bucket: facts }), "bucket-owner");
    assert.equal(ruleOf({ principal: ADMINISTRATOR, bucket: facts }), "-explicit-deny");
    assert.equal(ruleOf({ principal: ANONYMOUS, bucket: facts }), "-explicit-deny");
    const other = named("p", {
      Effect: "Allow",
      NotAction: "s3:Put*",
      NotResource: `${BUCKET_ARN}/secret/*`,
    });
    const principal = user("bob_wayne", { policies: [other] });
    assert.equal(ruleOf({ principal }), "policy-allow");
    assert.equal(ruleOf({ principal, action: "s3:PutObject" }), "-no-rule-allows");
    assert.equal(ruleOf({ principal, resource: `${BUCKET_ARN}/secret/x` }), "-no-rule-allows");
  });

  test("take variables from the request; where one is absent, nothing is allowed", () => {
    const home = `${BUCKET_ARN}/${variable("aws:username")}/*`;
    const own = user("bob_wayne", { policies: [named("p", { ...allow, Resource: home })] });
    const others = user("bob_wayne", {
      policies: [named("p", { Effect: "Allow", Action: "*", NotResource: home })],
    });
    const resource = `${BUCKET_ARN}/bob_wayne/x`;
    const context = new Map([["aws:username", ["bob_wayne"]]]);
    assert.equal(ruleOf({ principal: own, resource, context }), "policy-allow");
    assert.equal(ruleOf({ principal: own, context }), "-no-rule-allows");
    const several = new Map([["aws:username", ["bob_wayne", "carl_msu"]]]);
    assert.equal(ruleOf({ principal: own, resource, context: several }), "-no-rule-allows");
    assert.equal(ruleOf({ principal: own, resource }), "-no-rule-allows");
    assert.equal(ruleOf({ principal: others, context }), "policy-allow");
    assert.equal(ruleOf({ principal: others, resource, context }), "-no-rule-allows");
    assert.equal(ruleOf({ principal: others }), "-no-rule-allows");
  });

  test("what a condition cannot compare denies and does not allow (SECURITY 11)", () => {
    const context = new Map([["aws:sourceip", ["not an address"]]]);
    for (const operator of ["IpAddress", "NotIpAddress"]) {
      const Condition = { [operator]: { "aws:SourceIp": "10.0.0.0/8" } };
      const open = withPolicy(everybody({ Condition }));
      assert.equal(ruleOf({ bucket: open, context }), "-no-rule-allows", operator);
      const closed = withPolicy(everybody(), everybody({ Effect: "Deny", Condition }));
      assert.equal(ruleOf({ bucket: closed, context }), "-explicit-deny", operator);
    }
  });

  test("names of prototypes are names like others (SECURITY 26)", () => {
    for (const name of ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"]) {
      const Condition = { StringEquals: { [`s3:${name}`]: "x" } };
      const facts = withPolicy(everybody({ Condition }));
      assert.equal(ruleOf({ bucket: facts }), "-no-rule-allows");
      assert.equal(
        ruleOf({ bucket: facts, context: new Map([[`s3:${name.toLowerCase()}`, ["x"]]]) }),
        "policy-allow",
      );
      assert.equal(ruleOf({ principal: user(name), bucket: facts }), "-no-rule-allows");
      assert.equal(ruleOf({ action: `s3:${name}`, principal: OWNER }), "-unknown-action");
      const grants = [grant(name, "READ")];
      const listed = bucket({ grants, ownership: "ObjectWriter" });
      const change = { bucket: listed, action: "s3:ListBucket", resource: BUCKET_ARN };
      assert.equal(ruleOf(change), "-no-rule-allows");
      assert.equal(ruleOf({ ...change, principal: user(name) }), "acl-grant");
    }
  });
});

describe("public access block", () => {
  const closed = { ...bucket().publicAccessBlock, restrictPublicBuckets: true };
  const isOpen = bucketPolicy(everybody());

  test("holds a public policy back from all but owner and administrators", () => {
    const facts = bucket({ policy: isOpen, publicAccessBlock: closed });
    assert.equal(ruleOf({ bucket: facts }), "-restricted-public-bucket");
    assert.equal(ruleOf({ bucket: facts, principal: ANONYMOUS }), "-restricted-public-bucket");
    assert.equal(ruleOf({ bucket: facts, principal: OWNER }), "bucket-owner");
    assert.equal(ruleOf({ bucket: facts, principal: ADMINISTRATOR }), "administrator");
    const principal = user("bob_wayne", { policies: [named("p", ALL)] });
    assert.equal(ruleOf({ bucket: facts, principal }), "policy-allow");
  });

  test("leaves policies alone that are not public", () => {
    const policy = bucketPolicy(everybody({ Principal: { AWS: "bob_wayne" } }));
    assert.equal(ruleOf({ bucket: bucket({ policy, publicAccessBlock: closed }) }), "policy-allow");
  });

  test("takes public grants for absent, and no others", () => {
    const publicAccessBlock = { ...bucket().publicAccessBlock, ignorePublicAcls: true };
    const change = { action: "s3:ListBucket", resource: BUCKET_ARN };
    for (const [to, expected] of [
      [ALL_USERS, "-no-rule-allows"],
      [AUTHENTICATED_USERS, "-no-rule-allows"],
      ["bob_wayne", "acl-grant"],
    ] as const) {
      const facts = bucket({ grants: [grant(to, "READ")], ownership: "ObjectWriter" });
      assert.equal(ruleOf({ ...change, bucket: facts }), "acl-grant");
      assert.equal(ruleOf({ ...change, bucket: { ...facts, publicAccessBlock } }), expected, to);
    }
  });
});

describe("access control lists", () => {
  const lists = (grants: readonly AclGrant[]) => bucket({ grants, ownership: "ObjectWriter" });
  const object = (owner: string, ...grants: readonly AclGrant[]) => ({ owner, grants });

  test("give what the table says, and nothing else", () => {
    const given = {
      READ: ["ListBucket", "ListBucketVersions", "ListBucketMultipartUploads"],
      WRITE: ["PutObject", "DeleteObject"],
      READ_ACP: ["GetBucketAcl"],
      WRITE_ACP: ["PutBucketAcl"],
    };
    const ofObject = {
      READ: ["GetObject", "GetObjectVersion", "GetObjectTorrent"],
      WRITE: [],
      READ_ACP: ["GetObjectAcl", "GetObjectVersionAcl"],
      WRITE_ACP: ["PutObjectAcl", "PutObjectVersionAcl"],
    };
    for (const permission of ["READ", "WRITE", "READ_ACP", "WRITE_ACP"] as const) {
      for (const action of S3_ACTIONS.filter((each) => each !== "s3:CreateBucket")) {
        if (action === "s3:ListAllMyBuckets") continue;
        const name = action.slice("s3:".length);
        const onBucket = lists([grant("bob_wayne", permission)]);
        const byBucket = given[permission].includes(name) ? "acl-grant" : "-no-rule-allows";
        assert.equal(ruleOf({ bucket: onBucket, action }), byBucket, `${permission} ${action}`);
        const change = { object: object("alice_umich", grant("bob_wayne", permission)), action };
        const listed: readonly string[] = ofObject[permission];
        const byObject = listed.includes(name) ? "acl-grant" : "-no-rule-allows";
        assert.equal(ruleOf({ ...change, bucket: lists([]) }), byObject, `${permission} ${action}`);
        assert.equal(ruleOf({ ...change, bucket: bucket() }), "-no-rule-allows");
      }
    }
  });

  test("grant to everybody, the signed in, groups, and nobody for log delivery", () => {
    const staff = user("bob_wayne", { groups: ["staff_umich"] });
    for (const [to, who, expected] of [
      [ALL_USERS, ANONYMOUS, "acl-grant"],
      [AUTHENTICATED_USERS, ANONYMOUS, "-no-rule-allows"],
      [AUTHENTICATED_USERS, staff, "acl-grant"],
      ["staff_umich", staff, "acl-grant"],
      ["staff_umich", user("bob_wayne"), "-no-rule-allows"],
      [LOG_DELIVERY, user("bob_wayne", { groups: [LOG_DELIVERY] }), "-no-rule-allows"],
    ] as const) {
      const change = { bucket: lists([grant(to, "FULL_CONTROL")]), principal: who };
      const list = { action: "s3:ListBucket", resource: BUCKET_ARN };
      assert.equal(ruleOf({ ...change, ...list }), expected, to);
    }
  });

  test("an object of another is read, and its list, as its owner says", () => {
    const facts = bucket({ ownership: "ObjectWriter", policy: bucketPolicy(everybody()) });
    const foreign = { bucket: facts, object: object("bob_wayne") };
    assert.equal(ruleOf({ ...foreign, principal: OWNER }), "-no-rule-allows");
    assert.equal(ruleOf({ ...foreign, principal: user("carl_msu") }), "-no-rule-allows");
    assert.equal(ruleOf({ ...foreign, principal: ADMINISTRATOR }), "administrator");
    assert.equal(ruleOf({ ...foreign, action: "s3:GetObjectAcl" }), "object-owner");
    assert.equal(ruleOf({ ...foreign }), "object-owner");
    for (const action of ["s3:DeleteObject", "s3:PutObject", "s3:GetObjectTagging"]) {
      assert.equal(ruleOf({ ...foreign, principal: OWNER, action }), "bucket-owner");
      assert.equal(ruleOf({ ...foreign, action }), "-no-rule-allows");
    }
    const shared = object("bob_wayne", grant("alice_umich", "READ"));
    assert.equal(ruleOf({ bucket: facts, object: shared, principal: OWNER }), "acl-grant");
    const enforced = { ...facts, ownership: "BucketOwnerEnforced" } as const;
    assert.equal(ruleOf({ ...foreign, bucket: enforced, principal: OWNER }), "bucket-owner");
    assert.equal(ruleOf({ ...foreign, bucket: enforced }), "policy-allow");
  });

  test("a session or service account of its own policies is not the object's owner", () => {
    const principal = user("bob_wayne", { ownsByName: false });
    const change = { bucket: lists([]), object: object("bob_wayne"), principal };
    assert.equal(ruleOf(change), "-no-rule-allows");
  });
});

describe("multipart uploads", () => {
  const lists = (grants: readonly AclGrant[]) => bucket({ grants, ownership: "ObjectWriter" });
  const mine = { initiator: "bob_wayne" };
  const others = { initiator: "carl_msu" };
  const DEFAULTS = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"] as const;

  test("whoever began one lists its parts and gives it up, whatever it may do besides", () => {
    for (const action of DEFAULTS) {
      for (const facts of [bucket(), lists([]), lists([grant("bob_wayne", "WRITE")])]) {
        assert.equal(ruleOf({ action, bucket: facts, upload: mine }), "upload-initiator");
        assert.equal(ruleOf({ action, bucket: facts, upload: others }), "-no-rule-allows");
        assert.equal(ruleOf({ action, bucket: facts }), "-no-rule-allows");
      }
      assert.equal(ruleOf({ action, upload: others, principal: OWNER }), "bucket-owner");
      const policy = bucketPolicy(everybody({ Action: action }));
      assert.equal(ruleOf({ action, upload: others, bucket: bucket({ policy }) }), "policy-allow");
    }
  });

  test("the bucket's owner may deny it, a bound may leave it out", () => {
    for (const action of DEFAULTS) {
      const denying = bucketPolicy(everybody({ Effect: "Deny", Action: action }));
      const facts = bucket({ policy: denying });
      assert.equal(ruleOf({ action, bucket: facts, upload: mine }), "-explicit-deny");
      const principal = user("bob_wayne", { bounds: [named("b", READING)] });
      assert.equal(ruleOf({ action, principal, upload: mine }), "-outside-bound");
    }
  });

  test("it gives nothing else: what is written needs its permission", () => {
    for (const action of S3_ACTIONS) {
      if (DEFAULTS.some((each) => each === action)) continue;
      if (action === "s3:CreateBucket" || action === "s3:ListAllMyBuckets") continue;
      assert.equal(ruleOf({ action, upload: mine }), "-no-rule-allows", action);
    }
  });

  test("grants let write into what one began oneself, policies into any", () => {
    const action = "s3:PutObject";
    const shared = lists([grant("bob_wayne", "WRITE"), grant(ALL_USERS, "WRITE")]);
    assert.equal(ruleOf({ action, bucket: shared, upload: mine }), "acl-grant");
    assert.equal(ruleOf({ action, bucket: shared, upload: others }), "-not-initiator");
    const nobody = { action, bucket: shared, principal: ANONYMOUS };
    assert.equal(ruleOf({ ...nobody, upload: { initiator: "" } }), "-not-initiator");
    assert.equal(ruleOf({ action, bucket: shared }), "acl-grant");
    const policy = bucketPolicy(everybody({ Action: action }));
    assert.equal(ruleOf({ action, bucket: bucket({ policy }), upload: others }), "policy-allow");
    assert.equal(ruleOf({ action, principal: OWNER, upload: others }), "bucket-owner");
    assert.equal(ruleOf({ action, principal: ADMINISTRATOR, upload: others }), "administrator");
  });
});
