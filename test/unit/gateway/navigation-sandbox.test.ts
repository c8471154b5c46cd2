// Which answers of the S3 port get an origin of their own in a browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { navigationSandbox } from "../../../services/gateway/plugins/navigation-sandbox.ts";
import { type HeaderField, HeaderList } from "../../../services/lib/s3/headers.ts";

const NAVIGATION: readonly HeaderField[] = [["sec-fetch-dest", "document"]];

function isSandboxed(
  asked: readonly HeaderField[],
  answered: readonly HeaderField[],
  isWebsite = false,
): boolean {
  const added = navigationSandbox({ headers: new HeaderList(asked), isWebsite }, answered);
  if (added.length === 0) return false;
  assert.equal(added.length, 1);
  assert.equal(added[0]?.[0], "Content-Security-Policy");
  assert.match(added[0]?.[1] ?? "", /^sandbox /);
  assert.doesNotMatch(added[0]?.[1] ?? "", /allow-same-origin/);
  return true;
}

test("pages that can run are sandboxed where a browser opens them", () => {
  for (const type of [
    "text/html",
    "image/svg+xml",
    "application/xhtml+xml",
    "text/xml",
    "x/y",
    "",
  ]) {
    assert.equal(isSandboxed(NAVIGATION, [["Content-Type", type]]), true, type);
  }
  assert.equal(isSandboxed(NAVIGATION, []), true);
  assert.equal(isSandboxed([["sec-fetch-dest", "iframe"]], [["Content-Type", "text/html"]]), true);
  assert.equal(isSandboxed([["accept", "text/html,*/*;q=0.8"]], []), true);
});

test("programs, and what cannot run, are answered as ever", () => {
  const html: readonly HeaderField[] = [["Content-Type", "text/html"]];
  assert.equal(isSandboxed([["sec-fetch-dest", "empty"]], html), false);
  assert.equal(isSandboxed([["accept", "*/*"]], html), false);
  assert.equal(isSandboxed([], html), false);
  assert.equal(isSandboxed(NAVIGATION, html, true), false);
  for (const type of ["image/png", "text/plain; charset=utf-8", "application/pdf", "video/mp4"]) {
    assert.equal(isSandboxed(NAVIGATION, [["content-type", type]]), false, type);
  }
});

test("a policy that an answer has stays as it is", () => {
  const answered: readonly HeaderField[] = [["content-security-policy", "default-src 'none'"]];
  assert.equal(isSandboxed(NAVIGATION, answered), false);
});
