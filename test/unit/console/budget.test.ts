// What the console may weigh, and what its page may load: at most 150 kB in all and 60 kB before
// the first paint, compressed, and nothing from elsewhere.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { buildConsole } from "../../../services/console/build-console.ts";

const DIST = join(import.meta.dirname, "../../../services/console/dist");
const TOTAL_BYTES_MAX = 150_000;
const FIRST_BYTES_MAX = 60_000;

before(async () => {
  if (!existsSync(join(DIST, "index.html"))) await buildConsole(DIST);
});

function compressed(name: string): number {
  return gzipSync(readFileSync(join(DIST, name)), { level: 9 }).byteLength;
}

function firstFiles(): string[] {
  const page = readFileSync(join(DIST, "index.html"), "utf8");
  return [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? "");
}

test("everything together stays within its budget", () => {
  const total = readdirSync(DIST).reduce((sum, name) => sum + compressed(name), 0);
  assert.ok(total <= TOTAL_BYTES_MAX, `${total} bytes`);
  assert.ok(total > 10_000, "the build is not empty");
});

test("the first paint stays within its budget", () => {
  const names = ["index.html", ...firstFiles()];
  assert.ok(names.length >= 3);
  const total = names.reduce((sum, name) => sum + compressed(name), 0);
  assert.ok(total <= FIRST_BYTES_MAX, `${total} bytes`);
});

test("the page names only files of its own, without scripts or styles in it", () => {
  const page = readFileSync(join(DIST, "index.html"), "utf8");
  for (const name of firstFiles()) {
    assert.match(name, /^[A-Za-z0-9._-]+$/);
    assert.ok(existsSync(join(DIST, name)), name);
  }
  assert.doesNotMatch(page, /<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=/i);
});

test("no script evaluates text, writes HTML or asks another host", () => {
  for (const name of readdirSync(DIST).filter((file) => file.endsWith(".js"))) {
    const code = readFileSync(join(DIST, name), "utf8");
    assert.doesNotMatch(code, /\beval\(|new Function\(|document\.write|\.insertAdjacentHTML/, name);
    const hosts = [...code.matchAll(/https?:\/\/[a-z0-9.-]+/gi)].map(([url]) => url);
    const foreign = hosts.filter((url) => !/^http:\/\/www\.w3\.org|app\.example\.org/.test(url));
    assert.deepEqual(foreign, [], name);
  }
});
