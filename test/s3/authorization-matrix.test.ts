// Every action of the operation table, asked by everybody there may be: what lib/iam's oracle says
// happens, and whoever is refused reached nothing behind the gateway. Security test group (12).
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Operation } from "../../services/gateway/operation.ts";
import { OPERATIONS } from "../../services/gateway/operations.ts";
import type { Principal } from "../../services/lib/iam/model.ts";
import type { TestUser } from "../unit/gateway/memory-gateway.ts";
import { ADMIN_USER, OTHER_USER, ROOT_USER } from "../unit/gateway/memory-gateway.ts";
import { oracleAllows } from "../unit/iam/oracle.ts";
import type { Answer, Caller } from "./caller.ts";
import { makeBucket } from "./harness.ts";
import { requestOf } from "./row-requests.ts";
import {
  startWatchedGateway,
  statement,
  testUser,
  type WatchedGateway,
} from "./watched-gateway.ts";

const READING = testUser({
  userId: ROOT_USER.userId,
  name: "reader-of-root",
  bounds: [statement({ Action: ["s3:Get*", "s3:List*"], Resource: "*" })],
});
const WRONG_ACTION = testUser({
  userId: "worker_org",
  ownsByName: false,
  policies: [statement({ Action: "s3:GetObjectTorrent", Resource: "*" })],
});

interface Asker {
  readonly what: string;
  readonly user: TestUser | undefined;
}

const ASKERS: readonly Asker[] = [
  { what: "nobody known", user: undefined },
  { what: "another tenant", user: OTHER_USER },
  { what: "a key of the owner that may only read", user: READING },
  { what: "somebody with a policy for another action", user: WRONG_ACTION },
  { what: "an administrator", user: ADMIN_USER },
  { what: "the owner", user: ROOT_USER },
];

let watched: WatchedGateway;
let owner: Caller;
let bucket: string;

before(async () => {
  watched = await startWatchedGateway({ users: [READING, WRONG_ACTION] });
  owner = watched.as(ROOT_USER);
});
after(() => watched.stop());

function principalOf(user: TestUser | undefined): Principal {
  if (user === undefined) return { kind: "anonymous" };
  return (user.principal ?? testUser(user).principal) as Principal;
}

const NOTHING_BLOCKED = {
  blockPublicAcls: false,
  ignorePublicAcls: false,
  blockPublicPolicy: false,
  restrictPublicBuckets: false,
};

function isAllowed({ permission, scope, match }: Operation, user: TestUser | undefined): boolean {
  const isOfObject = scope !== "service" && (match.level === "object" || scope === "form");
  const principal = principalOf(user);
  // Who creates a bucket owns it.
  const isNew = permission === "s3:CreateBucket" && principal.kind === "user";
  return oracleAllows({
    principal,
    action: permission,
    resource:
      scope === "service" ? "arn:aws:s3:::*" : `arn:aws:s3:::${bucket}${isOfObject ? "/key" : ""}`,
    bucket:
      scope === "service" && !isNew
        ? undefined
        : {
            name: bucket,
            owner: isNew ? principal.userId : ROOT_USER.userId,
            policy: undefined,
            grants: [],
            ownership: "BucketOwnerEnforced",
            publicAccessBlock: NOTHING_BLOCKED,
          },
    object: undefined,
    context: new Map(),
  });
}

async function ask(operation: Operation, user: TestUser | undefined): Promise<Answer> {
  const call = requestOf(operation, bucket);
  if (user === undefined) return owner.call({ ...call, sign: false });
  return watched.as(user).call(call);
}

/** Of a multipart upload it may count who began it: that is looked up, and nothing else. */
function lookedAt({ name }: Operation, user: TestUser | undefined): readonly string[] {
  const isInitiators = name === "AbortMultipartUpload" || name === "ListParts";
  const mayCount = isInitiators && user !== undefined && user !== READING;
  return mayCount ? ["query getUpload"] : [];
}

/** Refused as a whole, or in every entry. */
function isRefused({ name }: Operation, { status, code, text }: Answer): boolean {
  if (name === "DeleteObjects" && status === 200) return text.includes("<Code>AccessDenied<");
  return status === 403 && (code === undefined || code === "AccessDenied");
}

for (const operation of OPERATIONS) {
  test(`(12) ${operation.name}: each asker is answered as the rules say`, async () => {
    // Whoever is let in may change what protects the bucket of the others.
    bucket = await makeBucket(owner);
    // The bucket outlives its deletion.
    await owner.put(bucket, "stays", "x");
    for (const { what, user } of ASKERS) {
      // A form says by its own fields who sends it: without them, nobody known does.
      if (operation.scope === "form" && user !== undefined) continue;
      await owner.put(bucket, "key", "content");
      watched.reached();
      const answer = await ask(operation, user);
      const reached = watched.reached();
      const shown = `${operation.name} by ${what}: ${answer.status} ${answer.text.slice(0, 300)}`;
      assert.equal(!isRefused(operation, answer), isAllowed(operation, user), shown);
      if (!isAllowed(operation, user)) assert.deepEqual(reached, lookedAt(operation, user), shown);
      assert.notEqual(answer.status, 500, shown);
    }
  });
}

test("the matrix covers the whole table", () => {
  assert.ok(OPERATIONS.length >= 72, String(OPERATIONS.length));
  assert.equal(new Set(OPERATIONS.map(({ name }) => name)).size, OPERATIONS.length);
});
