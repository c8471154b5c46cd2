// Keys in bulk: makes names whose order by bytes differs from the order of UTF-16, loads them over
// connections that are kept open, and holds a client's listing against them key by key: in order,
// none lost, none twice.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { Agent, request } from "node:http";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { signHeaders } from "../../services/lib/s3/sigv4/sign.ts";
import { uriEncode } from "../../services/lib/s3/uri-encoding.ts";
import type { TestServer } from "../support/test-server.ts";

const KEYS_PER_FOLDER = 1000;
/** A prime, so coprime to any smaller count: keys are put in no order of theirs. */
const STRIDE = 7_368_787;
const CONNECTIONS = 64;
/** Waits double up to the longest one: a machine busy with other tests may refuse for a minute. */
const ATTEMPTS = 20;
const WAIT_MS = 50;
const LONGEST_WAIT_MS = 5000;
const REPORT_MS = 15_000;
const STDERR_TAIL = 4000;

/** `count` keys in the order of their bytes, a thousand to a folder. */
export function makeKeys(count: number): readonly string[] {
  // U+FF5E sorts after U+1F600 in UTF-16, before it in UTF-8.
  const alphabets = ["a", "z", "ü", "\u{ff5e}", "\u{1f600}"];
  const folders = Math.ceil(count / KEYS_PER_FOLDER);
  const keys = Array.from({ length: count }, (_, at) => {
    const folder = at % folders;
    const letter = alphabets[folder % alphabets.length];
    const name = String(Math.floor(at / folders)).padStart(7, "0");
    return `${letter}-${String(folder).padStart(5, "0")}/key ${name}`;
  });
  return keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Puts a small object under every key; returns the seconds it took. */
export async function loadKeys(
  server: TestServer,
  bucket: string,
  keys: readonly string[],
): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const startedAt = performance.now();
  const seconds = (): number => (performance.now() - startedAt) / 1000;
  let next = 0;
  let reportAt = startedAt + REPORT_MS;
  const worker = async (): Promise<void> => {
    while (next < keys.length) {
      const at = next;
      next += 1;
      const key = keys[(at * STRIDE) % keys.length] ?? "";
      await putKey(server, agent, `/${bucket}/${uriEncode(key, true)}`);
      if (performance.now() < reportAt) continue;
      reportAt = performance.now() + REPORT_MS;
      process.stderr.write(`${at} keys, ${Math.round(at / seconds())} a second\n`);
    }
  };
  try {
    await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  } finally {
    agent.destroy();
  }
  return seconds();
}

async function putKey(server: TestServer, agent: Agent, target: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const status = await put(server, agent, target);
    if (status === 200) return;
    // Only what a client would try again, and not for ever.
    assert.ok(status === 503 && attempt < ATTEMPTS, `PUT ${target}: ${status}`);
    await setTimeout(Math.min(WAIT_MS * 2 ** attempt, LONGEST_WAIT_MS));
  }
}

const BODY = Buffer.from("x");
const BODY_HASH = createHash("sha256").update(BODY).digest("hex");

async function put(server: TestServer, agent: Agent, target: string): Promise<number> {
  const { hostname, port, host } = new URL(server.endpoint);
  const { accessKeyId, secretAccessKey: secret, region } = server;
  const identity = { accessKeyId, secret, region, nowMs: Date.now() };
  const headers = [["Host", host]] as const;
  const signed = signHeaders({ method: "PUT", target, headers }, identity, BODY_HASH);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const sent = request({
    agent,
    hostname,
    port,
    method: "PUT",
    path: target,
    headers: { ...Object.fromEntries(signed.headers), "Content-Length": BODY.byteLength },
  });
  sent.once("error", reject).once("response", (response) => {
    response.resume();
    response.once("error", reject).once("end", () => resolve(response.statusCode ?? 0));
  });
  sent.end(BODY);
  return promise;
}

/** Takes a client's keys one by one and fails at the first that is not the expected one. */
export class KeyCheck {
  readonly #expected: readonly string[];
  #count = 0;

  constructor(expected: readonly string[]) {
    this.#expected = expected;
  }

  take(key: string): void {
    const expected = this.#expected[this.#count];
    // Cheaper than an assertion a million times.
    if (key !== expected) {
      assert.fail(`key ${this.#count} is ${JSON.stringify(key)}, not ${JSON.stringify(expected)}`);
    }
    this.#count += 1;
  }

  end(): void {
    assert.equal(this.#count, this.#expected.length, "the listing ended early");
  }
}

export interface Listing {
  readonly program: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** The key in a line of output. */
  readonly keyOf: (line: string) => string;
  /** The client walks folders at once and prints as they come. */
  readonly isUnordered?: boolean;
}

/** Runs a client and checks the lines it prints as they come. */
export async function checkListing(expected: readonly string[], listing: Listing): Promise<void> {
  const { program, args, keyOf, isUnordered = false } = listing;
  const check = new KeyCheck(expected);
  const child = spawn(program, [...args], {
    env: { ...process.env, ...listing.environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = endOf(child);
  const found: string[] = [];
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      if (isUnordered) found.push(keyOf(line));
      else check.take(keyOf(line));
    }
  } catch (error) {
    child.kill();
    throw error;
  }
  assert.equal(await ended, "", program);
  const sorted = found.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const key of sorted) check.take(key);
  check.end();
}

/** Never rejects: empty when the program ended well, else why and what it said last. */
async function endOf(child: ChildProcess): Promise<string> {
  let said = "";
  child.stderr?.on("data", (bytes: Buffer) => {
    said = (said + bytes.toString()).slice(-STDERR_TAIL);
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  child.once("error", (error) => resolve(String(error)));
  child.once("close", (code, signal) => resolve(code === 0 ? "" : `${code ?? signal}: ${said}`));
  return promise;
}
