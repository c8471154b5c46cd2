// Answers of work that may take long: within the time given the answer is like all others, status
// included; past it the head goes out with 200 and white space follows, so that no proxy takes the
// connection for dead. Source: Amazon S3 API reference, CompleteMultipartUpload.
import { assert } from "../../lib/base/assert.ts";
import { deferred, type Semaphore } from "../../lib/base/bounded.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Answer, LateDocument } from "../answer.ts";

type Settled =
  | { readonly kind: "done"; readonly answer: Answer }
  | { readonly kind: "failed"; readonly thrown: unknown };

/** The answer of `work`, which is an XML document; late when it takes longer than `everyMs`. */
export async function answerWithin(
  clock: Clock,
  everyMs: number,
  work: () => Promise<Answer>,
): Promise<Answer> {
  const settled = settle(work);
  const early = await settledWithin(clock, everyMs, settled);
  if (early?.kind === "done") return early.answer;
  if (early?.kind === "failed") throw early.thrown;
  return { status: 200, headers: [], body: { kind: "late-xml", document: late(settled), everyMs } };
}

async function settle(work: () => Promise<Answer>): Promise<Settled> {
  try {
    return { kind: "done", answer: await work() };
  } catch (thrown) {
    return { kind: "failed", thrown };
  }
}

async function late(settled: Promise<Settled>): Promise<LateDocument> {
  const outcome = await settled;
  if (outcome.kind === "failed") return outcome;
  const { body } = outcome.answer;
  assert(body.kind === "xml", "late answer: only documents come late");
  return { kind: "done", text: body.text };
}

/** What `work`, which never rejects, resolves with; undefined when it takes longer than `ms`. */
export async function settledWithin<T>(
  clock: Clock,
  ms: number,
  work: Promise<T>,
): Promise<T | undefined> {
  const late = deferred<undefined>();
  const timer = clock.after(ms, () => late.resolve(undefined));
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    timer.cancel();
  }
}

/** Runs `work` with one unit of `slots` held. Throws StoreError "exhausted", "aborted". */
export async function holding<T>(
  slots: Semaphore,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  await slots.acquire(1, signal);
  try {
    return await work();
  } finally {
    slots.release(1);
  }
}
