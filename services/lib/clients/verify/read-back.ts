// Reads a body as it is stored and compares it with what its writer proved: the MD5 of each plain
// body or part. Some shards, parity among those that remain, are left out at random, so that over
// time every way to put a body together is tried. Sealed bodies are read and their cells verified,
// but their plain digest can not be compared here.
import { createHash } from "node:crypto";
import { equalBytes, toHex } from "../../base/bytes.ts";
import { toStoreError } from "../../base/errors.ts";
import type { Manifest, PartList, Version } from "../../gen/dolium/record/v1/object_pb.ts";
import type { Random } from "../../ports/random.ts";
import { BodyReader, type BodyReaderDeps } from "../body-reader.ts";
import type { DiskAddress } from "../shard-client.ts";

/** A manifest with the digest of its bytes, where one is known. */
export interface BodyUnit {
  readonly manifest: Manifest;
  /** 16 bytes. */
  readonly md5: Uint8Array | undefined;
}

export interface ReadVerdict {
  /** "unreachable": too few storage nodes answer now, which says nothing about the bytes. */
  readonly kind: "good" | "wrong" | "unreadable" | "unreachable";
  /** Bytes that were read. */
  readonly bytes: number;
  /** What the bytes were compared with besides the checksums of their cells. */
  readonly compared: "md5" | "cells";
  readonly reason: string;
}

export interface ReadBackDeps extends Omit<BodyReaderDeps, "onDamage"> {
  readonly random: Pick<Random, "below">;
  readonly onDamage: BodyReaderDeps["onDamage"];
}

const MD5_HEX = /^[0-9a-f]{32}$/;

/** The units of a version's body among `manifests`; none where it is inline or empty. */
export function unitsOf(
  version: Version,
  partList: PartList | undefined,
  manifests: readonly Manifest[],
): BodyUnit[] {
  const known = new Map(manifests.map((manifest) => [toHex(manifest.manifestId), manifest]));
  const isPlain = version.encryption === undefined;
  const unit = (manifestId: Uint8Array, md5: Uint8Array | undefined): BodyUnit[] => {
    const manifest = known.get(toHex(manifestId));
    return manifest === undefined ? [] : [{ manifest, md5: isPlain ? md5 : undefined }];
  };
  if (version.body.case === "manifestId") {
    const md5 = MD5_HEX.test(version.etag) ? Buffer.from(version.etag, "hex") : undefined;
    return unit(version.body.value, md5);
  }
  return (partList?.parts ?? []).flatMap(({ manifestId, md5 }) => unit(manifestId, md5));
}

/** Never throws but on the signal. `pace` is told the bytes read, and may wait. */
export async function readBack(
  deps: ReadBackDeps,
  target: { readonly bucketId: number; readonly unit: BodyUnit },
  options: { readonly signal: AbortSignal; readonly pace?: (bytes: number) => Promise<void> },
): Promise<ReadVerdict> {
  const { manifest } = target.unit;
  const first = await readOnce(deps, target, { ...options, hidden: hiddenDisks(deps, manifest) });
  options.signal.throwIfAborted();
  // With shards left out and others missing too few may remain: what counts is all of them.
  if (first.kind === "good" || first.kind === "wrong") return first;
  const again = await readOnce(deps, target, { ...options, hidden: new Set() });
  options.signal.throwIfAborted();
  return again;
}

async function readOnce(
  deps: ReadBackDeps,
  { bucketId, unit }: { readonly bucketId: number; readonly unit: BodyUnit },
  options: {
    readonly signal: AbortSignal;
    readonly pace?: (bytes: number) => Promise<void>;
    readonly hidden: ReadonlySet<number>;
  },
): Promise<ReadVerdict> {
  const { manifest, md5 } = unit;
  const { view } = deps;
  const partial = {
    addressOf: (diskId: number): DiskAddress | undefined =>
      options.hidden.has(diskId) ? undefined : view.addressOf(diskId),
    preferred: (disk: DiskAddress) => view.preferred(disk),
    suspect: (nodeId: number) => view.suspect(nodeId),
  };
  const reader = new BodyReader({ ...deps, view: partial });
  const hash = createHash("md5");
  const size = Number(manifest.size);
  const compared = md5 === undefined ? "cells" : "md5";
  let bytes = 0;
  try {
    const manifests = [{ manifest, offset: 0 }];
    const range = { firstByte: 0, lastByte: size - 1, signal: options.signal };
    for await (const piece of reader.read({ bucketId, manifests, ...range })) {
      hash.update(piece);
      bytes += piece.byteLength;
      await options.pace?.(piece.byteLength);
    }
  } catch (error) {
    const { code, message } = toStoreError(error);
    const kind = code === "corrupt" ? "unreadable" : "unreachable";
    return { kind, bytes, compared, reason: message };
  }
  const digest = hash.digest();
  if (md5 === undefined || equalBytes(digest, md5)) {
    return { kind: "good", bytes, compared, reason: "" };
  }
  const reason = `MD5 ${toHex(digest)}, written with ${toHex(md5)}`;
  return { kind: "wrong", bytes, compared, reason };
}

/** Disks of up to m shards, drawn at random. */
function hiddenDisks({ random }: ReadBackDeps, manifest: Manifest): Set<number> {
  const hidden = new Set<number>();
  const disks = [...new Set(manifest.chunks.flatMap(({ diskIds }) => diskIds))];
  for (const { diskIds } of manifest.chunks) {
    // Chunks lie on different disks: never more than m of any of them.
    const count = diskIds.filter((diskId) => diskId === 0 || hidden.has(diskId)).length;
    if (count >= manifest.parityShards) return hidden;
  }
  if (disks.length === 0 || manifest.parityShards === 0) return hidden;
  for (let draw = 0; draw < manifest.parityShards; draw += 1) {
    const diskId = disks[random.below(disks.length)] ?? 0;
    const tooMany = manifest.chunks.some(({ diskIds }) => {
      const away = diskIds.filter((id) => id === 0 || id === diskId || hidden.has(id)).length;
      return away > manifest.parityShards;
    });
    if (!tooMany && diskId !== 0) hidden.add(diskId);
  }
  return hidden;
}
