// Hashing on other threads: the digests are those of hashing here, however the bytes are cut; views
// may be used again at once; streams that are given up or that lose their thread leave nothing.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, test } from "node:test";
import { createHashThreads, type HashThreads } from "../../../services/lib/host/hash-threads.ts";
import type { BackgroundHash } from "../../../services/lib/ports/compute.ts";
import { HasherSet, loadChecksums } from "../../../services/lib/s3/checksums.ts";
import { runSeed, seededBytes, seededRandom } from "../../support/seeded-bytes.ts";

const threads = createHashThreads({ threads: 2, streams: 3 });
after(() => threads.close());

function opened(from: HashThreads, names: readonly string[]): BackgroundHash {
  return from.open(names) ?? assert.fail("no stream was taken");
}

/** Sends `bytes` in pieces of random length through one buffer, which is used again each time. */
async function feed(
  hash: { update(view: Uint8Array): Promise<void> | undefined },
  bytes: Uint8Array,
  random: () => number,
): Promise<void> {
  const buffer = Buffer.alloc(1_200_000);
  for (let at = 0; at < bytes.byteLength; ) {
    const length = Math.ceil(random() ** 4 * buffer.byteLength);
    const piece = bytes.subarray(at, at + length);
    buffer.set(piece);
    await hash.update(buffer.subarray(0, piece.byteLength));
    buffer.fill(0);
    at += piece.byteLength;
  }
}

test("digests are those of hashing here, several streams at a time", async () => {
  const seed = runSeed("hash threads");
  const lengths = [0, 1, 512 * 1024, 512 * 1024 + 1, 5_000_000];
  for (let round = 0; round < lengths.length; round += 1) {
    const streams = [0, 1, 2].map(async (at) => {
      const bytes = seededBytes(
        `${seed} ${round} ${at}`,
        lengths[(round + at) % lengths.length] ?? 0,
      );
      const hash = opened(threads, ["md5", "sha256"]);
      await feed(hash, bytes, seededRandom(seed + round * 3 + at));
      const expected = ["md5", "sha256"].map((name) =>
        createHash(name).update(bytes).digest("hex"),
      );
      const digests = await hash.digests();
      hash.abandon();
      assert.deepEqual(
        digests.map((digest) => Buffer.from(digest).toString("hex")),
        expected,
      );
    });
    await Promise.all(streams);
  }
});

test("no more streams are taken than may run; ended and abandoned ones make room", async () => {
  const running = [0, 1, 2].map(() => opened(threads, ["md5"]));
  assert.equal(threads.open(["md5"]), undefined);
  const [first, second, third] = running;
  await first?.update(Buffer.alloc(3_000_000));
  first?.abandon();
  first?.abandon();
  second?.abandon();
  await third?.digests();
  const again: BackgroundHash[] = [];
  // An abandoned stream gives its place back when the thread is done with its last block.
  while (again.length < 3) {
    const taken = threads.open(["md5"]);
    if (taken === undefined) await new Promise((later) => setImmediate(later));
    else again.push(taken);
  }
  for (const one of again) one.abandon();
});

test("a stream whose thread ends fails; the next one gets another thread", async () => {
  const own = createHashThreads({ threads: 1 });
  const cut = opened(own, ["md5"]);
  await cut.update(Buffer.alloc(100));
  await own.close();
  await assert.rejects(cut.digests(), { code: "internal" });
  assert.throws(() => cut.update(Buffer.alloc(1)), { code: "internal" });
  const next = opened(own, ["md5"]);
  await next.update(Buffer.from("abc"));
  const [digest] = await next.digests();
  assert.equal(Buffer.from(digest ?? "").toString("hex"), "900150983cd24fb0d6963f7d28e17f72");
  await own.close();
});

test("without threads nothing is taken", () => {
  assert.equal(createHashThreads({ threads: 0 }).open(["md5"]), undefined);
});

test("a set of hashers uses them for long streams only, beside the hashes it makes itself", async () => {
  const loaded = await loadChecksums();
  const bytes = seededBytes("a set", 3_000_000);
  let openedCount = 0;
  const background = {
    bytesMin: threads.bytesMin,
    open: (names: readonly string[]) => {
      openedCount += 1;
      return threads.open(names);
    },
  };
  const factory = { ...loaded, background };
  for (const expected of [0, 1000, bytes.byteLength]) {
    const set = new HasherSet(factory, ["MD5", "CRC32", "SHA256", "CRC64NVME"], expected);
    await feed(set, bytes, seededRandom(7));
    await set.finish();
    set.abandon();
    for (const name of ["MD5", "CRC32", "SHA256", "CRC64NVME"] as const) {
      const alone = loaded.create(name);
      alone.update(bytes);
      assert.deepEqual(Buffer.from(set.digest(name)), Buffer.from(alone.digest()), name);
    }
  }
  assert.equal(openedCount, 1);
});
