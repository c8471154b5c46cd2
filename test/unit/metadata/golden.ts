// Golden bytes of stored formats: a record is written as its fixture in test/fixtures/records says,
// and what stands there is read back. With DOLIUM_WRITE_FIXTURES set, fixtures that do not exist
// yet are written.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";

const FOLDER = join(import.meta.dirname, "../../fixtures/records");
const WRITES = process.env.DOLIUM_WRITE_FIXTURES !== undefined;

/** Name of the fixture, type, and the record in protobuf's JSON. */
export type GoldenRecord = readonly [string, DescMessage, JsonValue];

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** The fixture of that name; written first where that was asked for and there is none. */
export function fixture(file: string, made: JsonValue): JsonValue {
  const path = join(FOLDER, file);
  if (WRITES && !existsSync(path)) {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(path, `${JSON.stringify(made, undefined, 2)}\n`);
  }
  return JSON.parse(readFileSync(path, "utf8"));
}

export function testRecord([file, schema, record]: GoldenRecord): void {
  test(`${file}: written as ever, and read back`, () => {
    const message = fromJson(schema, record);
    const bytes = toBinary(schema, message);
    const golden = fixture(`${file}.json`, { record, hex: hex(bytes) });
    assert.ok(typeof golden === "object" && golden !== null && !Array.isArray(golden));
    assert.equal(hex(bytes), golden.hex);
    const stored = fromBinary(schema, Buffer.from(String(golden.hex), "hex"));
    assert.deepEqual(
      toJson(schema, stored),
      toJson(schema, fromJson(schema, golden.record ?? null)),
    );
    assert.equal(hex(toBinary(schema, stored)), golden.hex);
  });
}
