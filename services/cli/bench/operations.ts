// The operations of a benchmark against an endpoint. Each reads what it asked for to its end; what
// is read is compared with what was written, byte by byte, and what is listed with what is there.
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import type { ObjectContext } from "../objects/object-context.ts";
import type { Bodies, KeyPool, Operation } from "./workload.ts";

/** The server answered, but not with what was stored. */
export class WrongAnswer extends Error {
  override readonly name = "WrongAnswer";
}

export interface Target {
  readonly context: ObjectContext;
  readonly bucket: string;
  /** Of every key of this run; ends with `/`. */
  readonly prefix: string;
  readonly bodies: Bodies;
  readonly pool: KeyPool;
  /** Names no key twice. */
  readonly nextKey: () => string;
}

/** What was done; undefined: there was nothing to do it to. */
export interface Outcome {
  readonly bytes: number;
  readonly attempts: number;
}

interface Answer {
  readonly $metadata: { readonly attempts?: number };
}

function outcome({ $metadata }: Answer, bytes: number): Outcome {
  return { bytes, attempts: $metadata.attempts ?? 1 };
}

/** Throws what the SDK throws, and WrongAnswer. */
export async function perform(
  operation: Operation,
  target: Target,
  chance: number,
): Promise<Outcome | undefined> {
  if (operation === "put") return put(target);
  if (operation === "list") return list(target);
  if (operation === "delete") return remove(target, chance);
  const key = target.pool.borrow(chance);
  if (key === undefined) return undefined;
  try {
    return operation === "get" ? await get(target, key) : await stat(target, key);
  } finally {
    target.pool.release(key);
  }
}

async function put(target: Target): Promise<Outcome> {
  const { context, bucket, bodies, pool } = target;
  const key = target.nextKey();
  const answer = await context.s3.send(
    new PutObjectCommand({ Bucket: bucket, Key: key, Body: bodies.of(key) }),
    { abortSignal: context.signal },
  );
  pool.add(key);
  return outcome(answer, bodies.bytes);
}

async function get({ context, bucket, bodies }: Target, key: string): Promise<Outcome> {
  const answer = await context.s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }), {
    abortSignal: context.signal,
  });
  const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
  if (Buffer.compare(bytes, bodies.of(key)) !== 0) {
    throw new WrongAnswer(`GET yields other bytes than were stored (${bytes.length} of them)`);
  }
  return outcome(answer, bytes.length);
}

async function stat({ context, bucket, bodies }: Target, key: string): Promise<Outcome> {
  const answer = await context.s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }), {
    abortSignal: context.signal,
  });
  if (answer.ContentLength !== bodies.bytes) {
    throw new WrongAnswer(`HEAD tells ${answer.ContentLength} bytes, not ${bodies.bytes}`);
  }
  return outcome(answer, 0);
}

/** One page that begins at most nine keys before a random one, which must be on it. */
async function list(target: Target): Promise<Outcome | undefined> {
  const { context, bucket, prefix, pool } = target;
  const key = pool.borrow(Math.random());
  if (key === undefined) return undefined;
  try {
    const answer = await context.s3.send(
      new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        StartAfter: key.slice(0, -1),
      }),
      { abortSignal: context.signal },
    );
    const isThere = (answer.Contents ?? []).some(({ Key }) => Key === key);
    if (!isThere) {
      throw new WrongAnswer("a listing lacks a key that was stored before it");
    }
    return outcome(answer, 0);
  } finally {
    pool.release(key);
  }
}

async function remove(target: Target, chance: number): Promise<Outcome | undefined> {
  const { context, bucket, pool } = target;
  const key = pool.take(chance);
  if (key === undefined) return undefined;
  const answer = await context.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }), {
    abortSignal: context.signal,
  });
  return outcome(answer, 0);
}
