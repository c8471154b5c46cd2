// The bytes of a manifest written once more under another policy, as they are stored (of sealed
// bodies the sealed ones, which need no key), read back and compared before anybody refers to them.
import { createHash } from "node:crypto";
import { toSafeNumber } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import type { Manifest } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { KeeperDeps } from "../deps.ts";

export interface BodyCopy {
  readonly bucketId: number;
  readonly key: Uint8Array;
  readonly former: Manifest;
  readonly policy: string;
  /** Keeps the id of the former manifest, in place of which it comes. */
  readonly isSameManifest?: boolean;
  /** The same views, no faster than they may be copied. */
  readonly paced: (source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

/**
 * A manifest of the same bytes. Throws StoreError "corrupt" when what was written is not what was
 * read, and what reading and writing throw; then the copy is an orphan.
 */
export async function copyBody(
  deps: Pick<KeeperDeps, "reader" | "writer">,
  copy: BodyCopy,
): Promise<Manifest> {
  const { bucketId, key, former, policy, paced, signal } = copy;
  const hash = createHash("sha256");
  const source = paced(bytesOf(deps, copy, former));
  const manifest = await deps.writer.write({
    bucketId,
    key,
    policy,
    size: toSafeNumber(former.size),
    source: (async function* () {
      for await (const view of source) {
        hash.update(view);
        yield view;
      }
    })(),
    ...(copy.isSameManifest === true ? { manifestId: former.manifestId } : {}),
    signal,
  });
  const again = createHash("sha256");
  for await (const view of paced(bytesOf(deps, copy, manifest))) again.update(view);
  if (!hash.digest().equals(again.digest())) {
    throw new StoreError("corrupt", "what was written is not what was read");
  }
  return manifest;
}

async function* bytesOf(
  { reader }: Pick<KeeperDeps, "reader">,
  { bucketId, signal }: BodyCopy,
  manifest: Manifest,
): AsyncGenerator<Uint8Array> {
  const lastByte = toSafeNumber(manifest.size) - 1;
  if (lastByte < 0) return;
  const manifests = [{ manifest, offset: 0 }];
  yield* reader.read({ bucketId, manifests, firstByte: 0, lastByte, signal });
}
