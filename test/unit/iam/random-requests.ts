// Random policies and requests, drawn from few names so that they often meet: for holding one
// reading of the rules against another.
import fc from "fast-check";
import type {
  AuthorizationRequest,
  BucketFacts,
  ObjectFacts,
  Principal,
} from "../../../services/lib/iam/model.ts";
import {
  type AclGrant,
  ALL_USERS,
  AUTHENTICATED_USERS,
} from "../../../services/lib/s3/settings/acl.ts";
import { ORACLE_ACTIONS } from "./oracle.ts";
import {
  BUCKET,
  BUCKET_ARN,
  bucketPolicy,
  identityPolicy,
  type Json,
  variable,
} from "./setting.ts";

const USERS = ["alice_umich", "bob_wayne", "carl_msu", "root"];
const COMMON = ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:GetObjectAcl"];

function some<T>(items: fc.Arbitrary<T>, most = 2): fc.Arbitrary<T[]> {
  return fc.array(items, { minLength: 1, maxLength: most });
}

const actionPattern = fc.oneof(
  fc.constantFrom("*", "s3:*", "s3:Get*", "S3:getobject", "s3:???Object", "s3:*Acl"),
  fc.constantFrom(...COMMON, "s3:*Bucket*", "s3:GetObjectVersion", "s3:PutBucketPolicy"),
);
const objectPattern = fc.constantFrom(
  ...["*", "key", "k?y", "K*", "*y", "a/*", "home/*/x", `home/${variable("aws:username")}/*`],
  ...[`${variable("s3:prefix, 'key'")}`, `${variable("*")}`],
);
const resource = fc.oneof(
  objectPattern.map((pattern) => `${BUCKET_ARN}/${pattern}`),
  fc.constantFrom(BUCKET_ARN, "arn:aws:s3:::*", "arn:dolium:s3:::da?a/*"),
);
const principal = fc.oneof(
  fc.constant("*"),
  some(
    fc.constantFrom(
      ...USERS.map((name) => `arn:aws:iam::111122223333:user/${name}`),
      ...["*", "bob_wayne", "111122223333", "arn:aws:iam:::group/staff_umich"],
      ...["arn:aws:iam:::role/reader", "arn:aws:sts:::assumed-role/reader/one"],
    ),
  ).map((AWS) => ({ AWS })),
  some(fc.constantFrom(...USERS)).map((CanonicalUser) => ({ CanonicalUser })),
);

const NUMBERS = ["0", "1", "10", "2.5", "-3"];
const DATES = ["2026-01-01T00:00:00Z", "2026-06-30T12:00:00+02:00", "1767225600", "2027-01-01"];
const ADDRESSES = ["10.0.0.1", "10.1.2.3", "2001:db8::1", "::ffff:10.0.0.1", "192.0.2.7"];
const RANGES = ["10.0.0.0/8", "10.0.0.1", "2001:db8::/32", "0.0.0.0/0", "192.0.2.0/29"];
const TEXTS = ["a", "A", "ab", "a*", "*", "?b", "bob_wayne", "", variable("aws:username")];
const ARNS = ["arn:aws:iam::1:user/bob_wayne", "arn:aws:iam:::user/*", "arn:aws:s3:::data/*", "*"];

interface Family {
  readonly operators: readonly string[];
  readonly key: string;
  readonly wanted: readonly string[];
  readonly found: readonly string[];
}

const COMPARED = ["Equals", "NotEquals", "LessThan", "LessThanEquals"].concat([
  ...["GreaterThan", "GreaterThanEquals"],
]);
const FAMILIES: readonly Family[] = [
  {
    operators: ["StringEquals", "StringNotEquals", "StringLike", "StringNotLike"].concat([
      ...["StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"],
    ]),
    key: "s3:prefix",
    wanted: TEXTS,
    found: ["a", "A", "ab", "b", "bob_wayne", "*", ""],
  },
  {
    operators: COMPARED.map((name) => `Numeric${name}`),
    key: "s3:max-keys",
    wanted: NUMBERS,
    found: [...NUMBERS, "x", "1e3", "01"],
  },
  {
    operators: COMPARED.map((name) => `Date${name}`),
    key: "aws:CurrentTime",
    wanted: DATES,
    found: [...DATES, "yesterday"],
  },
  {
    operators: ["IpAddress", "NotIpAddress"],
    key: "aws:SourceIp",
    wanted: RANGES,
    found: [...ADDRESSES, "300.1.1.1"],
  },
  {
    operators: ["Bool"],
    key: "aws:SecureTransport",
    wanted: ["true", "false", "True"],
    found: ["true", "false", "maybe"],
  },
  {
    operators: ["ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"],
    key: "aws:PrincipalArn",
    wanted: ARNS,
    found: ["arn:aws:iam:::user/bob_wayne", "arn:aws:s3:::data/x", "x"],
  },
  { operators: ["Null"], key: "s3:prefix", wanted: ["true", "false"], found: ["a"] },
  {
    operators: ["BinaryEquals"],
    key: "aws:blob",
    wanted: ["YQ==", "YWI="],
    found: ["YQ==", "Yg=="],
  },
  {
    operators: ["StringEquals", "StringNotEquals", "StringLike"],
    key: "s3:ExistingObjectTag/team",
    wanted: ["red", "blue", "r*"],
    found: ["red", "blue"],
  },
];

const condition = fc
  .constantFrom(...FAMILIES)
  .chain(({ operators, key, wanted }) =>
    fc.record({
      operator: fc.constantFrom(...operators),
      qualifier: fc.constantFrom("", "", "", "ForAllValues:", "ForAnyValue:"),
      ifExists: fc.boolean(),
      key: fc.constantFrom(key, key.toUpperCase()),
      values: fc.array(fc.constantFrom(...wanted), { maxLength: 2 }),
    }),
  )
  .map(({ operator, qualifier, ifExists, key, values }) => {
    const suffix = ifExists && operator !== "Null" ? "IfExists" : "";
    return { [`${qualifier}${operator}${suffix}`]: { [key]: values } };
  });

function statement(hasPrincipal: boolean): fc.Arbitrary<Json> {
  return fc
    .record({
      effect: fc.constantFrom("Allow", "Allow", "Deny"),
      principal,
      notPrincipal: fc.nat(9).map((draw) => draw === 0),
      actions: some(actionPattern),
      notAction: fc.nat(9).map((draw) => draw === 0),
      resources: some(resource),
      notResource: fc.nat(6).map((draw) => draw === 0),
      condition: fc.option(condition, { freq: 2, nil: undefined }),
    })
    .map((drawn) => ({
      Effect: drawn.effect,
      ...(hasPrincipal && { [drawn.notPrincipal ? "NotPrincipal" : "Principal"]: drawn.principal }),
      [drawn.notAction ? "NotAction" : "Action"]: drawn.actions,
      [drawn.notResource ? "NotResource" : "Resource"]: hasPrincipal
        ? drawn.resources.concat(BUCKET_ARN, `${BUCKET_ARN}/none`)
        : drawn.resources,
      ...(drawn.condition !== undefined && { Condition: drawn.condition }),
    }));
}

const identities = fc.array(
  some(statement(false)).map((statements) => ({
    source: "drawn",
    policy: identityPolicy(...statements),
  })),
  { maxLength: 2 },
);

const signedIn: fc.Arbitrary<Principal> = fc
  .record({
    userId: fc.constantFrom(...USERS),
    form: fc.constantFrom("user", "user", "user", "session", "service"),
    groups: fc.subarray(["staff_umich", "other_umich"]),
    administrator: fc.nat(7).map((draw) => draw === 0),
    policies: identities,
    bounds: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: identities },
    ),
    ownsByName: fc.boolean(),
  })
  .map(({ userId, form, ...rest }) => ({
    kind: "user",
    userId,
    arn:
      form === "session"
        ? "arn:aws:sts:::assumed-role/reader/one"
        : `arn:aws:iam:::user/${form === "user" ? userId : `${userId}.robot`}`,
    ...rest,
    ownsByName: form === "user" || rest.ownsByName,
  }));

const grants: fc.Arbitrary<AclGrant[]> = fc.array(
  fc.record({
    grantee: fc.oneof(
      fc.constantFrom(...USERS).map((id) => ({ kind: "user" as const, id })),
      fc
        .constantFrom(ALL_USERS, AUTHENTICATED_USERS, "staff_umich")
        .map((uri) => ({ kind: "group" as const, uri })),
    ),
    permission: fc.constantFrom("FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"),
  }),
  { maxLength: 2 },
);

const block = fc.record({
  blockPublicAcls: fc.boolean(),
  ignorePublicAcls: fc.boolean(),
  blockPublicPolicy: fc.boolean(),
  restrictPublicBuckets: fc.boolean(),
});

const bucketFacts: fc.Arbitrary<BucketFacts> = fc.record({
  name: fc.constant(BUCKET),
  owner: fc.constantFrom(...USERS),
  policy: fc.option(
    some(statement(true), 3).map((statements) => bucketPolicy(...statements)),
    { nil: undefined },
  ),
  grants,
  ownership: fc.constantFrom("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"),
  publicAccessBlock: block,
});

export const objectFacts: fc.Arbitrary<ObjectFacts> = fc.record({
  owner: fc.constantFrom(...USERS),
  grants,
});

const context = fc
  .tuple(
    fc.record(
      Object.fromEntries(
        FAMILIES.filter(({ operators }) => operators[0] !== "Null").map(({ key, found }) => [
          key.toLowerCase(),
          fc.array(fc.constantFrom(...found), { maxLength: 2 }),
        ]),
      ),
      { requiredKeys: [] },
    ),
    fc.option(fc.constantFrom(...USERS)),
  )
  .map(([drawn, name]): AuthorizationRequest["context"] => {
    const keys = new Map<string, readonly string[]>(
      Object.entries(drawn).filter((entry): entry is [string, string[]] => entry[1] !== undefined),
    );
    if (name !== null) keys.set("aws:username", [name]);
    return keys;
  });

const anyAction = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...COMMON) },
  { weight: 3, arbitrary: fc.constantFrom(...ORACLE_ACTIONS) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "s3:GetNothing",
      "iam:GetUser",
      "dolium:DrainNode",
      "sts:GetCallerIdentity",
    ),
  },
);

export const authorizationRequest: fc.Arbitrary<AuthorizationRequest> = fc.record({
  principal: fc.oneof(
    { weight: 5, arbitrary: signedIn },
    { weight: 1, arbitrary: fc.constant({ kind: "anonymous" } as const) },
  ),
  action: anyAction,
  resource: fc.constantFrom(
    ...["key", "Key", "a/b", "home/bob_wayne/x", "*"].map((key) => `${BUCKET_ARN}/${key}`),
    ...[BUCKET_ARN, "arn:aws:iam:::user/bob_wayne", "*"],
  ),
  bucket: fc.option(bucketFacts, { nil: undefined, freq: 6 }),
  object: fc.option(objectFacts, { nil: undefined }),
  upload: fc.option(
    fc.record({ initiator: fc.constantFrom("alice_umich", "bob_wayne", "carl_msu", "") }),
    { nil: undefined },
  ),
  context,
});
