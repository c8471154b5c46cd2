// The settings schema: its defaults are whole, and it refuses what it does not know.
import assert from "node:assert/strict";
import { test } from "node:test";
import { S3_SETTINGS } from "../../../services/gateway/config.ts";
import { fitsS3Settings, s3Settings } from "./s3-settings.ts";

test("fills in every default", () => {
  const settings = s3Settings();
  assert.deepEqual(Object.keys(settings).sort(), Object.keys(S3_SETTINGS.properties).sort());
  assert.equal(settings.port, 9000);
  assert.equal(settings.inlineBytes, 16_384);
  assert.equal(s3Settings({ port: 0 }).port, 0);
});

test("refuses wrong values and unknown names", () => {
  const good = s3Settings();
  for (const bad of [
    { port: -1 },
    { port: 65_536 },
    { port: "9000" },
    { inlineBytes: 1_000_000 },
    { region: "" },
    { region: "a b" },
    { basePaths: ["no-slash"] },
    { idleTimeoutMs: 0 },
    { surprise: true },
  ]) {
    assert.equal(fitsS3Settings({ ...good, ...bad }), false, JSON.stringify(bad));
  }
});
