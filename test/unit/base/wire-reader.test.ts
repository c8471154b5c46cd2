// Encoded messages looked at field by field: what the protobuf library wrote is found again, and
// bytes that are no message are refused and never read past.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import { WireReader } from "../../../services/lib/base/wire-reader.ts";
import {
  ChecksumSchema,
  PartSchema,
} from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";

const PART = PartSchema.field;

test("finds every field that the library wrote", () => {
  const field = fc.record({
    partNumber: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    size: fc.maxSafeNat().map(BigInt),
    md5: fc.uint8Array({ maxLength: 300 }),
    algorithms: fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(field, ({ partNumber, size, md5, algorithms }) => {
      const checksums = algorithms.map((one) => create(ChecksumSchema, { partCount: one }));
      const part = create(PartSchema, { partNumber, size, md5, checksums });
      const reader = new WireReader(toBinary(PartSchema, part));
      const found = { partNumber: 0, size: 0, md5: Buffer.alloc(0), counts: [] as number[] };
      while (reader.next()) {
        if (reader.field === PART.partNumber.number) found.partNumber = reader.number();
        else if (reader.field === PART.size.number) found.size = reader.number();
        else if (reader.field === PART.md5.number) found.md5 = Buffer.from(reader.bytes());
        else found.counts.push(countOf(reader.message()));
      }
      const expected = { partNumber, size: Number(size), md5: Buffer.from(md5) };
      assert.deepEqual(found, { ...expected, counts: algorithms });
    }),
  );
});

function countOf(reader: WireReader): number {
  let count = 0;
  while (reader.next()) {
    if (reader.field === ChecksumSchema.field.partCount.number) count = reader.number();
    else reader.skip();
  }
  return count;
}

test("any bytes are a message or are corrupt, and end where they end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const inside = Buffer.concat([Buffer.alloc(4, 1), bytes, Buffer.alloc(20, 1)]);
      const reader = new WireReader(inside, 4, 4 + bytes.byteLength);
      try {
        while (reader.next()) reader.skip();
        assert.equal(reader.at, 4 + bytes.byteLength);
      } catch (error) {
        assert.ok(isStoreError(error, "corrupt"), String(error));
      }
    }),
  );
});

const MALFORMED: readonly (readonly [string, readonly number[]])[] = [
  ["a tag that does not end", [0x80]],
  ["field 0", [0x00, 0x01]],
  ["a length past the end", [0x0a, 0x05, 1, 2]],
  ["a number that does not end", [0x08, 0xff, 0xff]],
  ["a number of eleven bytes", [0x08, ...Array.from({ length: 11 }, () => 0xff)]],
  ["a group", [0x0b, 0x0c]],
  ["half of a fixed number", [0x0d, 1, 2]],
];

for (const [what, bytes] of MALFORMED) {
  test(`refuses ${what}`, () => {
    const reader = new WireReader(Uint8Array.from(bytes));
    const walk = () => {
      while (reader.next()) reader.skip();
    };
    assert.throws(walk, { name: "StoreError", code: "corrupt" });
  });
}

test("refuses a value of another kind, and a number past 2^53", () => {
  const text = new WireReader(Uint8Array.from([0x0a, 1, 65]));
  text.next();
  assert.throws(() => text.number(), { code: "corrupt" });
  const number = new WireReader(Uint8Array.from([0x08, 1]));
  number.next();
  assert.throws(() => number.bytes(), { code: "corrupt" });
  const past = [0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
  const large = new WireReader(Uint8Array.from(past));
  large.next();
  assert.throws(() => large.number(), { code: "corrupt" });
});
