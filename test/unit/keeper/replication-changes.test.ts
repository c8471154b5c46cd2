// Changes made beside a version after its first copy reach the replica: access control list,
// retention, legal hold; and what is not to reach it does not. By the real keeper through a real
// gateway. Source: Amazon S3 user guide, "What does Amazon S3 replicate?".
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  CreateBucketCommand,
  DeleteBucketOwnershipControlsCommand,
  DeleteObjectCommand,
  DeletePublicAccessBlockCommand,
  GetObjectAclCommand,
  GetObjectLegalHoldCommand,
  GetObjectRetentionCommand,
  PutObjectAclCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
  PutPublicAccessBlockCommand,
} from "@aws-sdk/client-s3";
import { eventually } from "../../support/eventually.ts";
import {
  HERE,
  head,
  makeBucket,
  type Place,
  pair,
  place,
  put,
  replicate,
  ruleTo,
  startKeeper,
  statusOf,
  TIMEOUT_MS,
  text,
  untilQuiet,
  untilStatus,
  versionsOf,
} from "./replication-rig.ts";

async function useLists({ s3 }: Place, Bucket: string): Promise<void> {
  await s3.send(new DeleteBucketOwnershipControlsCommand({ Bucket }));
  await s3.send(new DeletePublicAccessBlockCommand({ Bucket }));
}

/** Who has what, without the order of the grants. */
async function grantsOf({ s3 }: Place, Bucket: string, Key: string): Promise<string[]> {
  const { Grants = [] } = await s3.send(new GetObjectAclCommand({ Bucket, Key }));
  return Grants.map(({ Grantee, Permission }) => {
    const who = Grantee?.ID ?? Grantee?.URI?.split("/").at(-1);
    return `${who} ${Permission}`;
  }).sort();
}

async function lockedPair(t: TestContext): Promise<Place> {
  const made = await place(t);
  for (const Bucket of ["source", "copies"]) {
    await made.s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
  }
  await replicate(made, "source", ruleTo("copies"));
  startKeeper(t, made);
  return made;
}

const inDays = (days: number): Date => {
  const date = new Date(Date.now() + days * 86_400_000);
  date.setUTCMilliseconds(0);
  return date;
};

test("a version goes with its list, and so do changes of the list", async (t) => {
  const made = await pair(t);
  for (const bucket of ["source", "copies"]) await useLists(made, bucket);
  startKeeper(t, made);
  await put(made, "a", { GrantRead: 'id="bob_wayne"', GrantFullControl: 'id="root_dolium"' });
  await untilStatus(made, "a", "COMPLETED");
  const first = ["bob_wayne READ", "root_dolium FULL_CONTROL"];
  assert.deepEqual(await grantsOf(made, "copies", "a"), first);
  const everybody = new PutObjectAclCommand({ Bucket: "source", Key: "a", ACL: "public-read" });
  await made.s3.send(everybody);
  await untilQuiet(made);
  assert.deepEqual(await grantsOf(made, "copies", "a"), [
    "AllUsers READ",
    "root_dolium FULL_CONTROL",
  ]);
  await made.s3.send(new PutObjectAclCommand({ Bucket: "source", Key: "a", ACL: "private" }));
  await untilQuiet(made);
  assert.deepEqual(await grantsOf(made, "copies", "a"), ["root_dolium FULL_CONTROL"]);
  assert.equal((await versionsOf(made, "copies")).versions.length, 1, "no version was made anew");
});

test("a list goes as far as the destination takes lists; the bytes go anyway", async (t) => {
  const made = await place(t);
  for (const bucket of ["source", "off", "blocking", "owned"]) await makeBucket(made, bucket);
  for (const bucket of ["source", "blocking", "owned"]) await useLists(made, bucket);
  const PublicAccessBlockConfiguration = { BlockPublicAcls: true };
  await made.s3.send(
    new PutPublicAccessBlockCommand({ Bucket: "blocking", PublicAccessBlockConfiguration }),
  );
  const Destination = {
    Bucket: `${HERE}owned`,
    Account: "000000000000",
    AccessControlTranslation: { Owner: "Destination" as const },
  };
  await replicate(
    made,
    "source",
    ruleTo("off"),
    ruleTo("blocking", { Priority: 2 }),
    ruleTo("owned", { Priority: 3, Destination }),
  );
  startKeeper(t, made);
  await put(made, "a", {
    GrantRead: 'id="bob_wayne", uri="http://acs.amazonaws.com/groups/global/AllUsers"',
  });
  await untilStatus(made, "a", "COMPLETED");
  await made.s3.send(new PutObjectAclCommand({ Bucket: "source", Key: "a", ACL: "public-read" }));
  await untilQuiet(made);
  for (const bucket of ["off", "blocking", "owned"]) {
    assert.equal(await text(made, bucket, "a"), "body of a", bucket);
    const open = (await grantsOf(made, bucket, "a")).filter((grant) => grant.startsWith("All"));
    assert.deepEqual(open, [], bucket);
  }
  assert.equal(
    made.rig.metrics.values.get(`replication_failed_total{destination="${HERE}off"}`) ?? 0,
    0,
  );
});

test("lists stay in the cluster: in another store names mean somebody else", async (t) => {
  const made = await place(t);
  for (const bucket of ["source", "copies"]) {
    await makeBucket(made, bucket);
    await useLists(made, bucket);
  }
  await replicate(made, "source", ruleTo("arn:dolium:replication:::away/copies"));
  startKeeper(t, made);
  await put(made, "a", { ACL: "public-read" });
  await untilStatus(made, "a", "COMPLETED");
  assert.deepEqual(await grantsOf(made, "copies", "a"), ["root_dolium FULL_CONTROL"]);
});

test("retention and legal hold that change later change at the replica", async (t) => {
  const made = await lockedPair(t);
  const at = { Bucket: "source", Key: "a" };
  const there = { Bucket: "copies", Key: "a" };
  await put(made, "a");
  await untilStatus(made, "a", "COMPLETED");
  const hold = (Status: "ON" | "OFF") =>
    made.s3.send(new PutObjectLegalHoldCommand({ ...at, LegalHold: { Status } }));
  const retain = (Retention: { Mode?: "GOVERNANCE" | "COMPLIANCE"; RetainUntilDate?: Date }) =>
    made.s3.send(
      new PutObjectRetentionCommand({ ...at, Retention, BypassGovernanceRetention: true }),
    );
  await hold("ON");
  await retain({ Mode: "GOVERNANCE", RetainUntilDate: inDays(9) });
  await untilQuiet(made);
  let copy = await head(made, "copies", "a");
  assert.equal(copy.ObjectLockLegalHoldStatus, "ON");
  assert.equal(copy.ObjectLockMode, "GOVERNANCE");
  assert.deepEqual(copy.ObjectLockRetainUntilDate, inDaysOf(await head(made, "source", "a")));
  // Shortened past governance, the hold lifted, the retention taken away.
  await retain({ Mode: "GOVERNANCE", RetainUntilDate: inDays(2) });
  await hold("OFF");
  await untilQuiet(made);
  copy = await head(made, "copies", "a");
  assert.deepEqual(copy.ObjectLockRetainUntilDate, inDaysOf(await head(made, "source", "a")));
  const { LegalHold } = await made.s3.send(new GetObjectLegalHoldCommand(there));
  assert.equal(LegalHold?.Status, "OFF");
  await retain({});
  await untilQuiet(made);
  await assert.rejects(made.s3.send(new GetObjectRetentionCommand(there)), {
    name: "NoSuchObjectLockConfiguration",
  });
  await retain({ Mode: "COMPLIANCE", RetainUntilDate: inDays(2) });
  await untilQuiet(made);
  assert.equal((await head(made, "copies", "a")).ObjectLockMode, "COMPLIANCE");
  const VersionId = copy.VersionId;
  const destroy = new DeleteObjectCommand({
    ...there,
    VersionId,
    BypassGovernanceRetention: true,
  });
  await assert.rejects(made.s3.send(destroy), { name: "AccessDenied" });
});

function inDaysOf({ ObjectLockRetainUntilDate }: { ObjectLockRetainUntilDate?: Date | undefined }) {
  assert.ok(ObjectLockRetainUntilDate);
  return ObjectLockRetainUntilDate;
}

test("a retention that has ended keeps no version from its destination", async (t) => {
  const made = await place(t);
  for (const Bucket of ["source", "copies"]) {
    await made.s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
  }
  await replicate(made, "source", ruleTo("copies"));
  const ObjectLockRetainUntilDate = new Date(Date.now() + 1500);
  await put(made, "a", { ObjectLockMode: "COMPLIANCE", ObjectLockRetainUntilDate });
  await eventually("the retention has ended", TIMEOUT_MS, async () =>
    Date.now() > ObjectLockRetainUntilDate.getTime() + 1000 ? true : undefined,
  );
  startKeeper(t, made);
  await untilStatus(made, "a", "COMPLETED");
  assert.equal(await text(made, "copies", "a"), "body of a");
  assert.equal((await head(made, "copies", "a")).ObjectLockMode, undefined);
});

test("versions destroyed, and changes of a replica, stay where they were made", async (t) => {
  const made = await lockedPair(t);
  const { VersionId } = await put(made, "a");
  await untilStatus(made, "a", "COMPLETED");
  const held = { Bucket: "copies", Key: "a", LegalHold: { Status: "ON" as const } };
  await made.s3.send(new PutObjectLegalHoldCommand(held));
  await untilQuiet(made);
  assert.equal((await head(made, "source", "a")).ObjectLockLegalHoldStatus, undefined);
  await made.s3.send(new DeleteObjectCommand({ Bucket: "source", Key: "a", VersionId }));
  await untilQuiet(made);
  assert.deepEqual((await versionsOf(made, "source")).versions, []);
  assert.equal((await versionsOf(made, "copies")).versions.length, 1);
  assert.equal(await statusOf(made, "a", "copies"), "REPLICA");
});
