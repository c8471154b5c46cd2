// Which pages count as the console of this gateway's own admin port.
import assert from "node:assert/strict";
import { test } from "node:test";
import { consoleCorsRule } from "../../../services/gateway/plugins/console-cors.ts";
import { HeaderList } from "../../../services/lib/s3/headers.ts";

function ruleFor(origin: string | undefined, host: string, port: number | undefined): boolean {
  const headers = new HeaderList([
    ["host", host],
    ...(origin === undefined ? [] : ([["origin", origin]] as const)),
  ]);
  return consoleCorsRule({ headers }, port) !== undefined;
}

test("a page of the same host and the admin port is the console", () => {
  assert.equal(ruleFor("http://127.0.0.1:9001", "127.0.0.1:9000", 9001), true);
  assert.equal(ruleFor("https://s3.example.org:9001", "s3.example.org", 9001), true);
  assert.equal(ruleFor("http://[::1]:9001", "[::1]:9000", 9001), true);
});

test("(37) pages of other hosts and ports are not", () => {
  assert.equal(ruleFor("http://127.0.0.1:9002", "127.0.0.1:9000", 9001), false);
  assert.equal(ruleFor("http://evil.example:9001", "127.0.0.1:9000", 9001), false);
  assert.equal(ruleFor("http://127.0.0.1", "127.0.0.1:9000", 9001), false);
  assert.equal(ruleFor("null", "127.0.0.1:9000", 9001), false);
  assert.equal(ruleFor(undefined, "127.0.0.1:9000", 9001), false);
  assert.equal(ruleFor("http://127.0.0.1:9001@evil:9001", "127.0.0.1:9000", 9001), false);
  assert.equal(ruleFor("http://127.0.0.1:9001", "127.0.0.1:9000", undefined), false);
});

test("the rule names that origin alone", () => {
  const headers = new HeaderList([
    ["host", "127.0.0.1:9000"],
    ["origin", "http://127.0.0.1:9001"],
  ]);
  assert.deepEqual(consoleCorsRule({ headers }, 9001)?.origins, ["http://127.0.0.1:9001"]);
});
