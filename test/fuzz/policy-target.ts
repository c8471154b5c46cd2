// Policies: what the parsers take is decided by, and the oracle must decide alike.
import assert from "node:assert/strict";
import { evaluate, needsObject } from "../../services/lib/iam/evaluate.ts";
import { explainDecision } from "../../services/lib/iam/explain.ts";
import type { AuthorizationRequest } from "../../services/lib/iam/model.ts";
import {
  type Policy,
  parseIdentityPolicy,
  parseSessionPolicy,
  parseTrustPolicy,
} from "../../services/lib/iam/policy.ts";
import { evaluateTrust } from "../../services/lib/iam/trust.ts";
import { parsePolicy } from "../../services/lib/s3/settings/policy.ts";
import { oracleAllows } from "../unit/iam/oracle.ts";
import { BUCKET, bucket, request, user, variable } from "../unit/iam/setting.ts";
import type { FuzzTarget } from "./fuzz.ts";

/** The oracle goes down as deep as its texts are long. */
const ORACLE_BYTES_MAX = 2000;

const CONTEXT = new Map<string, readonly string[]>([
  ["aws:username", ["bob_wayne"]],
  ["aws:sourceip", ["192.0.2.7"]],
  ["aws:securetransport", ["true"]],
  ["aws:currenttime", ["2026-01-31T23:59:30Z"]],
  ["aws:useragent", ["*"]],
  ["s3:prefix", ["home/bob_wayne/"]],
  ["s3:max-keys", ["100"]],
  ["aws:tagkeys", ["team", "owner"]],
  ["aws:principalarn", ["arn:aws:iam:::user/bob_wayne"]],
]);

const STATEMENTS = [
  { Effect: "Allow", Action: "s3:*", Resource: "*" },
  {
    Effect: "Allow",
    Action: ["s3:GetObject", "s3:List*"],
    NotResource: `arn:aws:s3:::${BUCKET}/a/*`,
  },
  {
    Sid: "home",
    Effect: "Allow",
    Action: "s3:?etObject",
    Resource: `arn:aws:s3:::${BUCKET}/${variable("aws:username")}/*`,
    Condition: {
      IpAddress: { "aws:SourceIp": ["192.0.2.0/24", "2001:db8::/32"] },
      Bool: { "aws:SecureTransport": "true" },
      DateLessThan: { "aws:CurrentTime": "2026-06-30T00:00:00Z" },
      NumericLessThanEquals: { "s3:max-keys": "1000" },
    },
  },
  {
    Effect: "Deny",
    NotAction: "iam:*",
    Resource: `arn:aws:s3:::${BUCKET}/*`,
    Condition: {
      "ForAllValues:StringLikeIfExists": { "aws:TagKeys": ["te*", variable("aws:team, 'x'")] },
      StringNotEquals: { "s3:prefix": "" },
      ArnNotLike: { "aws:PrincipalArn": "arn:aws:iam::111122223333:user/*" },
      Null: { "s3:VersionId": "true" },
      "ForAnyValue:StringEquals": { "s3:ExistingObjectTag/team": "red" },
    },
  },
];

function seedsOf(): readonly Buffer[] {
  const principals = ["*", { AWS: ["bob_wayne", "arn:aws:iam:::group/x"] }, { CanonicalUser: "a" }];
  const documents: unknown[] = STATEMENTS.flatMap((statement, index) => [
    { Version: "2012-10-17", Statement: [statement] },
    {
      Statement: {
        ...statement,
        Action: "s3:*",
        NotAction: undefined,
        Resource: [`arn:aws:s3:::${BUCKET}`, `arn:aws:s3:::${BUCKET}/*`],
        NotResource: undefined,
        Principal: principals[index % principals.length],
      },
    },
    { Version: "2012-10-17", Id: "x", Statement: [STATEMENTS[0], statement] },
  ]);
  const trust = { Effect: "Allow", Principal: { AWS: "bob_wayne" }, Action: "sts:AssumeRole" };
  const ofBucket = STATEMENTS.slice(0, 1).map((statement) => ({
    ...statement,
    Principal: { AWS: "bob_wayne" },
    Resource: [`arn:aws:s3:::${BUCKET}`, `arn:aws:s3:::${BUCKET}/*`],
  }));
  documents.push({ Version: "2012-10-17", Statement: trust });
  documents.push({ Version: "2012-10-17", Statement: ofBucket });
  return documents.map((each) => Buffer.from(JSON.stringify(each)));
}

const WORDS = [
  ...'{ } [ ] , : " \\ \\u0000 null true 1e9 __proto__ constructor * ? $ **** *?*?*?'.split(" "),
  ...[variable("*"), variable("$"), variable("aws:username"), variable("").slice(0, 2)],
  ..."Version Id Statement Sid Effect Principal NotPrincipal Action NotAction Resource".split(" "),
  ..."NotResource Condition Allow Deny AWS Federated Service 2012-10-17 2008-10-17 IfExists".split(
    " ",
  ),
  ..."ForAllValues: ForAnyValue: StringEquals StringNotLike NumericEquals DateEquals".split(" "),
  ..."BinaryEquals NotIpAddress ArnLike s3:GetObject iam:CreateUser 0.0.0.0/0 ::/0 arn:aws:s3:::".split(
    " ",
  ),
].map((word) => Buffer.from(word));

interface Parser {
  readonly name: string;
  readonly parse: (input: Uint8Array) => Policy;
  readonly requests: (policy: Policy) => readonly AuthorizationRequest[];
}

function asIdentity(policy: Policy): readonly AuthorizationRequest[] {
  const principal = user("bob_wayne", { policies: [{ source: "fuzz", policy }] });
  const bounded = user("alice_umich", { bounds: [{ source: "fuzz", policy }] });
  const actions = ["s3:GetObject", "s3:ListBucket", "iam:CreateUser"];
  return actions.flatMap((action) => [
    request({
      principal,
      action,
      context: CONTEXT,
      resource: `arn:aws:s3:::${BUCKET}/bob_wayne/x`,
    }),
    request({ principal: bounded, action, context: CONTEXT }),
  ]);
}

function asBuckets(policy: Policy): readonly AuthorizationRequest[] {
  const facts = bucket({ policy, ownership: "ObjectWriter" });
  return [user("bob_wayne"), user("alice_umich"), { kind: "anonymous" } as const].map((principal) =>
    request({ principal, bucket: facts, context: CONTEXT }),
  );
}

const IDENTITY: Parser = { name: "identity", parse: parseIdentityPolicy, requests: asIdentity };
const SESSION: Parser = { name: "session", parse: parseSessionPolicy, requests: asIdentity };
const TRUST: Parser = { name: "trust", parse: parseTrustPolicy, requests: () => [] };
const OF_BUCKET: Parser = {
  name: "bucket",
  parse: (input) => parsePolicy(input, BUCKET),
  requests: asBuckets,
};

/** Decides, and says how to check that; the oracle takes its time. */
function decide(question: AuthorizationRequest, bytes: number): () => void {
  const decision = evaluate(question);
  assert.ok(explainDecision(decision).length < 1000);
  needsObject(question);
  return () => {
    if (bytes > ORACLE_BYTES_MAX) return;
    assert.equal(decision.allowed, oracleAllows(question), decision.by.rule);
  };
}

function askForTrust(policy: Policy): void {
  evaluateTrust({
    caller: user("bob_wayne"),
    action: "sts:AssumeRole",
    role: "arn:aws:iam:::role/reader",
    trust: { source: "fuzz", policy },
    context: CONTEXT,
  });
}

/** The kind that the input looks like. */
function parserFor(text: string): Parser {
  if (text.includes("Principal")) return text.includes("sts:") ? TRUST : OF_BUCKET;
  return text.length % 2 === 0 ? IDENTITY : SESSION;
}

export const POLICY_TARGET: FuzzTarget = {
  name: "policy",
  seeds: seedsOf(),
  words: WORDS,
  bytesMax: 24 * 1024,
  isJson: true,
  run: (input) => {
    const parser = parserFor(Buffer.from(input).toString("latin1"));
    const policy = parser.parse(input);
    const checks = parser.requests(policy).map((each) => decide(each, input.byteLength));
    if (parser.name === "trust") askForTrust(policy);
    const check = (): void => {
      for (const each of checks) each();
    };
    return { word: `taken as ${parser.name}`, check };
  },
};
