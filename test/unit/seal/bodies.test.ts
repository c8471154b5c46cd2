// Sealed bodies: any range through any cut of views comes back as it was; whatever was changed, cut
// or moved is refused before a byte of its block is yielded.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import {
  BLOCK_BYTES,
  type ByteSpan,
  SEALED_BLOCK_BYTES,
  sealedSize,
  sealedSpan,
} from "../../../services/lib/seal/blocks.ts";
import { bodyKey } from "../../../services/lib/seal/key-derivation.ts";
import { openBody } from "../../../services/lib/seal/open-body.ts";
import { sealBody } from "../../../services/lib/seal/seal-body.ts";
import { seededBytes } from "../../support/seeded-bytes.ts";
import { gathered, run, viewsOf } from "./streams.ts";

const KEY = bodyKey(run(1, 32), run(9, 16));

async function sealed(plain: Uint8Array, key = KEY): Promise<Buffer> {
  return gathered(sealBody(viewsOf(plain, [70_000]), { key, size: plain.byteLength }));
}

/** Opens `span` out of a whole sealed body. */
async function opened(bytes: Uint8Array, size: number, span: ByteSpan): Promise<Buffer> {
  const { first, last } = sealedSpan(span, size);
  const source = viewsOf(bytes.subarray(first, last + 1), [50_000]);
  return gathered(openBody(source, { key: KEY, size, span }));
}

function whole(size: number): ByteSpan {
  return { first: 0, last: size - 1 };
}

async function refuses(work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error) => isStoreError(error, "corrupt"));
}

test("any range through any views is what was sealed", async () => {
  const sizes = fc.oneof(
    fc.integer({ min: 1, max: 300 }),
    fc.integer({ min: BLOCK_BYTES - 2, max: BLOCK_BYTES + 2 }),
    fc.integer({ min: 3 * BLOCK_BYTES - 1, max: 3 * BLOCK_BYTES + 500 }),
  );
  const lengths = fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 4 });
  const shares = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(200_000));
  await fc.assert(
    fc.asyncProperty(
      sizes,
      lengths,
      lengths,
      shares,
      async (size, inLengths, outLengths, share) => {
        const plain = seededBytes(`body ${size}`, size);
        const source = viewsOf(plain, withFew(inLengths, size));
        const all = await gathered(sealBody(source, { key: KEY, size }));
        assert.equal(all.byteLength, sealedSize(size));
        const first = Math.min(size - 1, Math.floor(share[0] * size));
        const span = { first, last: Math.min(size - 1, first + share[1]) };
        const cut = sealedSpan(span, size);
        const views = viewsOf(all.subarray(cut.first, cut.last + 1), withFew(outLengths, size));
        const got = await gathered(openBody(views, { key: KEY, size, span }));
        assert.equal(Buffer.compare(got, plain.subarray(span.first, span.last + 1)), 0);
      },
    ),
    { numRuns: 150 },
  );
});

/** Long bodies in tiny views would take the test's time, not show more. */
function withFew(lengths: readonly number[], size: number): number[] {
  return size > 1000 ? [...lengths, 40_000] : [...lengths];
}

test("an empty body has no sealed bytes", async () => {
  assert.equal(sealedSize(0), 0);
  assert.equal((await sealed(new Uint8Array(0))).byteLength, 0);
});

test("the largest object fits the counter of blocks", () => {
  const size = 5 * 1024 ** 4;
  const last = sealedSpan({ first: size - 1, last: size - 1 }, size);
  assert.equal(last.last + 1, sealedSize(size));
  assert.ok(size / BLOCK_BYTES < 2 ** 32);
});

test("every flipped bit of a small body is refused", async () => {
  const size = 20;
  const bytes = await sealed(seededBytes("small", size));
  for (let bit = 0; bit < bytes.byteLength * 8; bit += 1) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    await refuses(opened(changed, size, whole(size)));
  }
});

test("a flipped bit anywhere in a long body is refused before a byte of its block", async () => {
  const size = 3 * BLOCK_BYTES + 1000;
  const plain = seededBytes("long", size);
  const bytes = await sealed(plain);
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.byteLength * 8 - 1), async (bit) => {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const pieces: Uint8Array[] = [];
      const source = viewsOf(changed, [30_000]);
      await refuses(
        (async () => {
          for await (const view of openBody(source, { key: KEY, size, span: whole(size) })) {
            pieces.push(Buffer.from(view));
          }
        })(),
      );
      const good = Math.floor((bit >> 3) / SEALED_BLOCK_BYTES) * BLOCK_BYTES;
      assert.equal(Buffer.compare(Buffer.concat(pieces), plain.subarray(0, good)), 0);
    }),
    { numRuns: 60 },
  );
});

test("a body cut after a whole block does not pass for a shorter one", async () => {
  const size = 3 * BLOCK_BYTES;
  const bytes = await sealed(seededBytes("cut", size));
  const shorter = 2 * BLOCK_BYTES;
  await refuses(opened(bytes.subarray(0, sealedSize(shorter)), shorter, whole(shorter)));
});

test("a last block does not pass for one in the middle", async () => {
  const size = 2 * BLOCK_BYTES;
  const bytes = await sealed(seededBytes("longer", size));
  const padded = Buffer.concat([bytes, bytes.subarray(SEALED_BLOCK_BYTES)]);
  await refuses(opened(padded, 3 * BLOCK_BYTES, whole(3 * BLOCK_BYTES)));
});

test("blocks that changed places are refused", async () => {
  const size = 3 * BLOCK_BYTES;
  const bytes = await sealed(seededBytes("order", size));
  const [a, b, c] = [0, 1, 2].map((at) =>
    bytes.subarray(at * SEALED_BLOCK_BYTES, (at + 1) * SEALED_BLOCK_BYTES),
  );
  const swapped = Buffer.concat([b ?? bytes, a ?? bytes, c ?? bytes]);
  await refuses(opened(swapped, size, whole(size)));
});

test("another body's nonce or another data key does not open it", async () => {
  const size = 100;
  const plain = seededBytes("keys", size);
  for (const key of [bodyKey(run(1, 32), run(10, 16)), bodyKey(run(2, 32), run(9, 16))]) {
    await refuses(opened(await sealed(plain, key), size, whole(size)));
  }
});

test("two bodies of one data key share no block", async () => {
  const plain = seededBytes("same", 64);
  const other = bodyKey(run(1, 32), run(77, 16));
  assert.notDeepEqual(await sealed(plain), await sealed(plain, other));
});

test("a stream that ends early or goes on is refused by the opener", async () => {
  const size = 70_000;
  const bytes = await sealed(seededBytes("ends", size));
  const opening = { key: KEY, size, span: whole(size) };
  await refuses(gathered(openBody(viewsOf(bytes.subarray(0, -1), [1000]), opening)));
  await refuses(gathered(openBody(viewsOf(bytes.subarray(0, 500), [1000]), opening)));
  const longer = Buffer.concat([bytes, Buffer.alloc(1)]);
  await refuses(gathered(openBody(viewsOf(longer, [1000]), opening)));
});

test("a source of another length than was said is refused by the sealer", async () => {
  const plain = seededBytes("length", 70_000);
  for (const size of [69_999, 70_001, 0]) {
    await assert.rejects(gathered(sealBody(viewsOf(plain, [1000]), { key: KEY, size })), (error) =>
      isStoreError(error, "invalid"),
    );
  }
});

test("what the source throws comes through, and it is told when no more is wanted", async () => {
  const failure = new Error("gone");
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield run(0, 10);
    throw failure;
  }
  await assert.rejects(gathered(sealBody(failing(), { key: KEY, size: 20 })), failure);
  let closed = false;
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield run(0, 10);
    } finally {
      closed = true;
    }
  }
  for await (const view of sealBody(endless(), { key: KEY, size: 1000 })) {
    assert.equal(view.byteLength, 10);
    break;
  }
  assert.ok(closed);
});
