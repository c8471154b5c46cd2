// Who may import whom (ARCHITECTURE: layout), and which globals and modules stay in lib/host.
import assert from "node:assert/strict";
import { dirname, join, normalize } from "node:path/posix";
import { test } from "node:test";
import { codeOnly, type SourceFile, sourceFiles } from "./tree.ts";

const IMPORT = /(?:from|import)\s*\(?\s*"([^"]+)"/g;

/** Layer of a file: the folder under services/ (and under services/lib/), else the top folder. */
function layerOf(path: string): string {
  const parts = path.split("/");
  if (parts[0] !== "services") return parts[0] ?? "";
  return parts[1] === "lib" ? `lib/${parts[2]}` : (parts[1] ?? "");
}

const PURE = ["lib/base", "lib/gen", "lib/ports"];
const LIBRARY = [
  ...PURE,
  "lib/raft",
  "lib/erasure",
  "lib/placement",
  "lib/s3",
  "lib/seal",
  "lib/clients",
];
/** For those who ask who may do what. */
const WITH_ACCESS = [...LIBRARY, "lib/iam"];

/** What each layer may import besides itself. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  "lib/base": [],
  "lib/gen": [],
  "lib/ports": ["lib/base", "lib/gen"],
  "lib/raft": PURE,
  "lib/erasure": PURE,
  "lib/placement": PURE,
  "lib/s3": PURE,
  "lib/seal": PURE,
  "lib/iam": [...PURE, "lib/s3"],
  "lib/clients": [...PURE, "lib/erasure", "lib/placement", "lib/seal"],
  "lib/host": [...PURE, "lib/erasure"],
  gateway: WITH_ACCESS,
  metadata: LIBRARY,
  storage: LIBRARY,
  keeper: WITH_ACCESS,
  console: LIBRARY,
  cli: [...WITH_ACCESS, "lib/host", "gateway", "metadata", "storage", "keeper", "console"],
};

/** Node modules that do no I/O, read no clock and no environment. */
const PURE_NODE = new Set(["node:crypto", "node:zlib", "node:buffer", "node:assert"]);
/** Further Node modules by layer, with the reason. */
const NODE_EXTRA: Readonly<Record<string, readonly string[]>> = {
  // fastify hands these over; the gateway only names their types and stream operators.
  gateway: ["node:http", "node:stream", "node:stream/promises"],
};
/** The console runs in a browser, which is its machine. */
const HOST_LAYERS = new Set(["lib/host", "cli", "console"]);
/** Programs run by hand or by make, inside library folders. */
const PROGRAMS = new Set(["services/lib/erasure/wasm/build.ts"]);

const BANNED: readonly (readonly [RegExp, string])[] = [
  [/\bDate\.now\s*\(|\bnew Date\(\s*\)/, "the wall clock"],
  [/\bperformance\.now\b/, "the monotonic clock"],
  [/\b(?:setTimeout|setInterval|setImmediate)\s*\(/, "timers"],
  [/\bMath\.random\b/, "randomness"],
  [/\brandom(?:Bytes|UUID|Int|FillSync)\b|\bgetRandomValues\b/, "randomness"],
  [/\bprocess\./, "the process"],
  [/\bconsole\./, "the console"],
  [/\bAbortSignal\.timeout\b/, "timers"],
];

function services(): SourceFile[] {
  return sourceFiles().filter((file) => file.path.startsWith("services/"));
}

function importsOf(file: SourceFile): string[] {
  return [...file.text.matchAll(IMPORT)].map((match) => match[1] ?? "");
}

test("layers import only what the rule allows", () => {
  const broken: string[] = [];
  for (const file of services()) {
    const layer = layerOf(file.path);
    const allowed = ALLOWED[layer];
    assert.ok(allowed !== undefined, `no import rule for layer ${layer} (${file.path})`);
    for (const specifier of importsOf(file).filter((name) => name.startsWith("."))) {
      const target = layerOf(normalize(join(dirname(file.path), specifier)));
      if (target !== layer && !allowed.includes(target)) {
        broken.push(`${file.path} imports ${specifier}: ${layer} may not use ${target}`);
      }
    }
  }
  assert.deepEqual(broken, []);
});

test("only lib/host and cli import Node's effects", () => {
  const broken: string[] = [];
  for (const file of services()) {
    const layer = layerOf(file.path);
    if (HOST_LAYERS.has(layer) || PROGRAMS.has(file.path)) continue;
    for (const specifier of importsOf(file).filter((name) => name.startsWith("node:"))) {
      const allowed = PURE_NODE.has(specifier) || NODE_EXTRA[layer]?.includes(specifier) === true;
      if (!allowed) broken.push(`${file.path} imports ${specifier}`);
    }
  }
  assert.deepEqual(broken, []);
});

test("only lib/host and cli touch clocks, timers, randomness and the process", () => {
  const broken: string[] = [];
  for (const file of services()) {
    if (HOST_LAYERS.has(layerOf(file.path)) || PROGRAMS.has(file.path)) continue;
    const code = codeOnly(file.text);
    for (const [pattern, what] of BANNED) {
      const match = pattern.exec(code);
      if (match !== null) {
        const line = code.slice(0, match.index).split("\n").length;
        broken.push(`${file.path}:${line} uses ${what}: ${match[0]}`);
      }
    }
  }
  assert.deepEqual(broken, []);
});

test("the ring package is used behind its wrapper only", () => {
  const users = services().filter((file) => importsOf(file).includes("consistent-hash"));
  assert.deepEqual(
    users.map((file) => file.path),
    ["services/lib/placement/hash-ring.ts"],
  );
});
