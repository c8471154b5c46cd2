// Named keys: made once however many ask, rotated, opened with the right cluster key only, and kept
// no longer than they may be.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import {
  KmsDirectory,
  type KmsDirectoryDeps,
} from "../../../services/lib/clients/kms-directory.ts";
import { kmsKeyArn, kmsKeyName } from "../../../services/lib/clients/kms-key-id.ts";
import {
  type KmsKeyRecord,
  KmsKeyRecordSchema,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome, ReplySchema } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import { soleClusterKey } from "../../../services/lib/seal/cluster-keys.ts";

const CLUSTER_KEY = new Uint8Array(32).fill(7);

/** The root group's table of keys, by its contract, and a clock that is set by hand. */
class KeyTable {
  readonly keys = new Map<string, KmsKeyRecord>();
  queries = 0;
  nowMs = 1_000_000;
  /** Runs before the next command is applied. */
  beforePut: () => Promise<void> = async () => undefined;

  deps(): KmsDirectoryDeps {
    const metadata = {
      execute: (_group: number, kind: { case: string; value: unknown }) => this.#put(kind.value),
      query: async (_group: number, kind: { value: unknown }) => {
        this.queries += 1;
        const { name = "" } = kind.value as { name?: string };
        const keys = [...this.keys.values()].filter((key) => name === "" || key.name === name);
        return { keys };
      },
    };
    const clock = { monotonicMs: () => this.nowMs };
    // A test double of two methods and one: what else they have is never called.
    return { metadata, clock, random: createRandom() } as unknown as KmsDirectoryDeps;
  }

  directory(clusterKey: Uint8Array | undefined = CLUSTER_KEY): KmsDirectory {
    return new KmsDirectory(this.deps(), soleClusterKey(clusterKey));
  }

  async #put(value: unknown): Promise<unknown> {
    const before = this.beforePut;
    this.beforePut = async () => undefined;
    await before();
    const { name, expectedVersions, wrappedKey } = value as {
      name: string;
      expectedVersions: number;
      wrappedKey: Uint8Array;
    };
    const former = this.keys.get(name);
    if ((former?.versions.length ?? 0) !== expectedVersions) {
      return create(ReplySchema, { outcome: Outcome.EXISTS });
    }
    const key = create(KmsKeyRecordSchema, {
      name,
      versions: [...(former?.versions ?? []), { version: expectedVersions + 1, wrappedKey }],
    });
    this.keys.set(name, key);
    return create(ReplySchema, {
      outcome: Outcome.OK,
      kind: { case: "putKmsKey", value: { key } },
    });
  }
}

test("a key is made on first use and is the same for everybody", async () => {
  const table = new KeyTable();
  const first = await table.directory().newestOrMade("dolium/s3");
  const second = await table.directory().newestOrMade("dolium/s3");
  assert.equal(first.version, 1);
  assert.equal(first.key.byteLength, 32);
  assert.equal(Buffer.compare(first.key, second.key), 0);
  assert.equal(table.keys.size, 1);
});

test("two who make a key at once get the same one", async () => {
  const table = new KeyTable();
  const other = table.directory();
  table.beforePut = async () => {
    await other.newestOrMade("dolium/s3");
  };
  const mine = await table.directory().newestOrMade("dolium/s3");
  const theirs = await other.newestOrMade("dolium/s3");
  assert.equal(Buffer.compare(mine.key, theirs.key), 0);
});

test("only a key that is asked to be made is made", async () => {
  const table = new KeyTable();
  assert.equal(await table.directory().newest("payroll"), undefined);
  assert.equal(table.keys.size, 0);
  await table.directory().create("payroll");
  assert.equal((await table.directory().newest("payroll"))?.version, 1);
  await assert.rejects(table.directory().create("payroll"), (error) =>
    isStoreError(error, "exists"),
  );
});

test("after a rotation new keys seal, old ones still open", async () => {
  const table = new KeyTable();
  const gateway = table.directory();
  await gateway.create("payroll");
  const old = await gateway.newest("payroll");
  await table.directory().rotate("payroll");
  assert.equal((await gateway.newest("payroll"))?.version, 1);
  table.nowMs += 10_001;
  const current = await gateway.newest("payroll");
  assert.equal(current?.version, 2);
  assert.notEqual(Buffer.compare(current?.key ?? CLUSTER_KEY, old?.key ?? CLUSTER_KEY), 0);
  const again = await table.directory().version("payroll", 1);
  assert.equal(Buffer.compare(again.key, old?.key ?? CLUSTER_KEY), 0);
  await assert.rejects(table.directory().rotate("other"), (error) =>
    isStoreError(error, "not-found"),
  );
});

test("a version that another gateway just made is found at once", async () => {
  const table = new KeyTable();
  const gateway = table.directory();
  await gateway.create("payroll");
  await table.directory().rotate("payroll");
  assert.equal((await gateway.version("payroll", 2)).version, 2);
  await assert.rejects(gateway.version("payroll", 3), (error) => isStoreError(error, "not-found"));
});

test("opened keys are kept, and not for ever", async () => {
  const table = new KeyTable();
  const gateway = table.directory();
  await gateway.create("payroll");
  await gateway.version("payroll", 1);
  const asked = table.queries;
  await gateway.version("payroll", 1);
  table.nowMs += 60_000;
  await gateway.version("payroll", 1);
  assert.equal(table.queries, asked);
  table.nowMs += 300_000;
  await gateway.version("payroll", 1);
  assert.equal(table.queries, asked + 1);
});

test("another cluster key opens nothing and says so", async () => {
  const table = new KeyTable();
  await table.directory().create("payroll");
  const stranger = table.directory(new Uint8Array(32).fill(8));
  await assert.rejects(
    stranger.newest("payroll"),
    (error) => isStoreError(error, "denied") && /another cluster key/.test(error.message),
  );
});

test("a record that was given another name does not open", async () => {
  const table = new KeyTable();
  const record = await table.directory().create("payroll");
  table.keys.set("stolen", create(KmsKeyRecordSchema, { ...record, name: "stolen" }));
  await assert.rejects(table.directory().newest("stolen"), (error) =>
    isStoreError(error, "denied"),
  );
});

test("without a cluster key nothing is made or opened", async () => {
  const table = new KeyTable();
  await table.directory().create("payroll");
  const bare = new KmsDirectory(table.deps(), soleClusterKey(undefined));
  assert.equal(bare.isConfigured, false);
  for (const work of [bare.newest("payroll"), bare.create("x"), bare.newestOrMade("dolium/s3")]) {
    await assert.rejects(work, (error) => isStoreError(error, "denied"));
  }
  assert.deepEqual(
    (await bare.list()).map((key) => key.name),
    ["payroll"],
  );
});

test("names that could be mistaken for something else are refused", async () => {
  const table = new KeyTable();
  for (const name of ["", "/a", "-a", "a b", "a:b", "ä", "a".repeat(128)]) {
    await assert.rejects(table.directory().create(name), (error) => isStoreError(error, "invalid"));
  }
});

test("the store's key and the default key are made when they are needed", async () => {
  const table = new KeyTable();
  const gateway = table.directory();
  assert.equal((await gateway.forStore()).name, "dolium/s3");
  assert.equal((await gateway.forKms(undefined))?.name, "aws/s3");
  assert.equal((await gateway.forKms("alias/aws/s3"))?.name, "aws/s3");
  assert.deepEqual([...table.keys.keys()], ["dolium/s3", "aws/s3"]);
});

test("by its id a key is found that exists, and never the store's own", async () => {
  const table = new KeyTable();
  const gateway = table.directory();
  await gateway.create("payroll");
  await gateway.forStore();
  assert.equal((await gateway.forKms("arn:aws:kms:us-east-1:0:key/payroll"))?.name, "payroll");
  for (const id of ["nobody", "dolium/s3", "alias/dolium/s3", "a:b", "-", ""]) {
    assert.equal(await gateway.forKms(id), undefined, id);
  }
  assert.equal(table.keys.size, 2);
});

test("a key is named by its name, an alias or an ARN", () => {
  const names: readonly (readonly [string, string | undefined])[] = [
    ["payroll", "payroll"],
    ["key/payroll", "payroll"],
    ["alias/payroll", "payroll"],
    ["alias/aws/s3", "aws/s3"],
    ["aws/s3", "aws/s3"],
    ["arn:aws:kms:us-east-1:0:key/payroll", "payroll"],
    ["arn:aws:kms:eu-west-2:123456789012:alias/team/pay", "team/pay"],
    [kmsKeyArn("team/pay", "us-east-1"), "team/pay"],
    ["arn:aws:s3:us-east-1:0:key/payroll", undefined],
    ["arn:aws:kms:us-east-1:0:payroll", undefined],
    ["arn:aws:kms:us-east-1:0:key/", undefined],
    ["a:b", undefined],
    ["x".repeat(3000), undefined],
  ];
  for (const [keyId, name] of names) assert.equal(kmsKeyName(keyId), name, keyId.slice(0, 60));
});
