// Compares a store with the ledger: every acknowledged body is read byte for byte, what was deleted
// stays deleted, listings agree with what is read. Failures that pass (a server that has just
// started answers 503) are waited out, within a bound; what contradicts the ledger never is.
import type { XmlElement } from "../../services/lib/s3/xml-reader.ts";
import { type Answer, Caller, pathOf, type Target, textAt } from "../s3/caller.ts";
import { eventually } from "../support/eventually.ts";
import type { Ledger, Value } from "./ledger.ts";
import { PLAIN, sha256, VERSIONED } from "./load.ts";

const ANSWER_TIMEOUT_MS = 60_000;
const READERS = 6;

export interface CheckOptions {
  readonly target: Target;
  readonly ledger: Ledger;
  /** Share of what was not written since the last check that is read again. */
  readonly share: number;
  readonly random: () => number;
}

/** What contradicts the ledger, in words; the ledger is settled on what was read. */
export async function check(options: CheckOptions): Promise<string[]> {
  const caller = new Caller(options.target);
  const violations = [
    ...(await checkPlain(caller, options)),
    ...(await checkVersions(caller, options)),
  ];
  options.ledger.touched.clear();
  return violations;
}

async function checkPlain(caller: Caller, options: CheckOptions): Promise<string[]> {
  const { ledger } = options;
  const violations: string[] = [];
  const listed = new Set<string>();
  await pages(caller, `/${PLAIN}?list-type=2&max-keys=50`, "NextContinuationToken", (page) => {
    for (const row of page.children.filter(({ name }) => name === "Contents")) {
      listed.add(textAt(row, "Key") ?? "");
    }
  });
  for (const key of listed) {
    if (!ledger.keys.has(key)) violations.push(`${key} is listed; nobody wrote it`);
  }
  await inParallel([...ledger.keys.keys()], async (key) => {
    const { sure, maybe } = ledger.belief(key);
    const isListed = listed.has(key);
    if (maybe.size === 0 && isListed !== (sure !== undefined)) {
      violations.push(`${key} ${isListed ? "is" : "is not"} listed: ${ledger.describe(key)}`);
    }
    const isDue = ledger.touched.has(key) || maybe.size > 0 || options.random() < options.share;
    if (!isDue) return;
    const { value, words } = await read(caller, pathOf(PLAIN, key)).catch((error: unknown) => {
      throw new Error(`${key}: ${ledger.describe(key)}`, { cause: error });
    });
    if (!ledger.allows(key, value)) {
      violations.push(`${key}: ${words}; ${ledger.describe(key)}`);
    } else if (isListed !== (value !== undefined)) {
      violations.push(`${key}: ${words}, but ${isListed ? "" : "not "}listed`);
    }
    ledger.settle(key, value);
  });
  return violations;
}

async function checkVersions(caller: Caller, options: CheckOptions): Promise<string[]> {
  const { ledger } = options;
  const violations: string[] = [];
  const listed = new Map<string, string>();
  await pages(caller, `/${VERSIONED}?versions&max-keys=50`, "NextVersionIdMarker", (page) => {
    for (const row of page.children.filter(({ name }) => name === "Version")) {
      listed.set(textAt(row, "VersionId") ?? "", textAt(row, "Key") ?? "");
    }
  });
  for (const [id, { key, state }] of ledger.versions) {
    if (state === "there" && !listed.has(id)) violations.push(`version ${id} of ${key} is gone`);
    if (state === "deleted" && listed.has(id)) violations.push(`version ${id} of ${key} is back`);
    if (!listed.has(id)) ledger.versions.delete(id);
  }
  await inParallel([...listed], async ([id, key]) => {
    const known = ledger.versions.get(id);
    const isDue = ledger.touched.has(id) || known === undefined || options.random() < options.share;
    if (!isDue) return;
    const { value, words } = await read(caller, `${pathOf(VERSIONED, key)}?versionId=${id}`);
    const isExpected =
      known === undefined ? ledger.maybeVersions.has(`${key} ${value}`) : known.value === value;
    if (!isExpected || value === undefined) {
      violations.push(`version ${id} of ${key}: ${words}, ${known?.state ?? "not acknowledged"}`);
    } else ledger.versions.set(id, { key, value, state: "there" });
  });
  ledger.maybeVersions.clear();
  return violations;
}

/** The hash of a body, or undefined for an object that is not there; waits out 5xx. */
async function read(
  caller: Caller,
  target: string,
): Promise<{ readonly value: Value; readonly words: string }> {
  const answer = await answered(caller, target);
  if (answer.status === 404) return { value: undefined, words: `404 ${answer.code}` };
  const value = sha256(answer.body);
  return { value, words: `${answer.body.byteLength} bytes ${value.slice(0, 12)}` };
}

function answered(caller: Caller, target: string): Promise<Answer> {
  return eventually(`an answer to ${target}`, ANSWER_TIMEOUT_MS, async () => {
    const answer = await caller.call({ target });
    if (answer.status === 404 || (answer.status === 200 && answer.isWhole)) return answer;
    throw new Error(`${answer.status} ${answer.text.slice(0, 500)}`);
  });
}

/** Calls `take` for each page of a listing. */
async function pages(
  caller: Caller,
  first: string,
  next: "NextContinuationToken" | "NextVersionIdMarker",
  take: (page: XmlElement) => void,
): Promise<void> {
  let more = "";
  for (;;) {
    const answer = await answered(caller, first + more);
    const page = answer.xml();
    take(page);
    const mark = textAt(page, next);
    if (textAt(page, "IsTruncated") !== "true" || mark === undefined) return;
    const marks =
      next === "NextContinuationToken"
        ? { "continuation-token": mark }
        : { "key-marker": textAt(page, "NextKeyMarker") ?? "", "version-id-marker": mark };
    more = Object.entries(marks)
      .map(([name, value]) => `&${name}=${encodeURIComponent(value)}`)
      .join("");
  }
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const readers = Array.from({ length: READERS }, async () => {
    for (let item = queue.pop(); item !== undefined; item = queue.pop()) await work(item);
  });
  await Promise.all(readers);
}
