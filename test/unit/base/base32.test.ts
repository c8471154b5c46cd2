// Base32 against the vectors of its specification.
import assert from "node:assert/strict";
import { test } from "node:test";
import { base32 } from "../../../services/lib/base/base32.ts";

test("base32 as RFC 4648 section 10 writes it", () => {
  const cases = { f: "MY", fo: "MZXQ", foo: "MZXW6", foob: "MZXW6YQ", fooba: "MZXW6YTB" };
  for (const [text, expected] of Object.entries(cases)) {
    assert.equal(base32(Buffer.from(text)), expected);
  }
});
