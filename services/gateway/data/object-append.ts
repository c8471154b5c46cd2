// How added bytes are stored, by what the object holds now: behind inline bytes, as a last part,
// or, where inline bytes get too many or are sealed, as the whole written anew. The state machine
// checks that the object is still what was looked at here.

import { createHash } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { assert } from "../../lib/base/assert.ts";
import { INLINE_BYTES_MAX, PART_NUMBER_MAX } from "../../lib/base/limits.ts";
import type { Sealing } from "../../lib/clients/data-key.ts";
import type { AppendObjectSchema } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { VersionSchema } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import { md5Etag } from "../../lib/s3/etag.ts";
import type { ObjectContext } from "../operation.ts";
import { fullObject, toRecord } from "./checksum-records.ts";
import { objectBytes, type StoredObject } from "./object-reader.ts";
import { type WrittenBody, writeBody } from "./object-writer.ts";
import { entityDigest, sealingOfPart } from "./sealing.ts";
import type { VerifiedBody } from "./verified-body.ts";

type AppendInit = Exclude<
  MessageInitShape<typeof AppendObjectSchema>,
  { readonly $typeName: string }
>;
type VersionInit = Exclude<MessageInitShape<typeof VersionSchema>, { readonly $typeName: string }>;
/** What of the command says which bytes are added. */
export type Addition = Pick<AppendInit, "manifest" | "md5" | "whole"> & {
  readonly version: VersionInit;
  /** The version that must still be current. */
  readonly ifVersionId?: Uint8Array;
};

export interface Appending {
  readonly found: StoredObject;
  readonly body: VerifiedBody;
  /** Of the added bytes. */
  readonly size: number;
}

/** Writes what is added to an object that exists. Throws TooManyParts, and what writing does. */
export async function writeAddition(
  context: ObjectContext,
  appending: Appending,
): Promise<Addition> {
  const { found, size } = appending;
  const { version, parts } = found;
  const sealing = await sealingOfPart(context, version);
  const wholeSize = found.size + size;
  const isInline = version.body.case === "inline";
  if (isInline && found.size > 0) {
    const fits = wholeSize <= Math.min(context.gateway.settings.inlineBytes, INLINE_BYTES_MAX);
    if (!fits || sealing !== undefined) return writeWhole(context, appending, sealing);
  }
  if (parts.length >= PART_NUMBER_MAX) throw new S3Error("TooManyParts");
  const written = await write(context, {
    ...appending,
    source: appending.body.stream(),
    inlineBytesMax: isInline || found.size === 0 ? context.gateway.settings.inlineBytes : -1,
    sealing,
  });
  const md5 = entityDigest(context, sealing, appending.body.digest("MD5"));
  const etag = md5Etag(md5);
  const { body } = appending;
  const stated = body.statedChecksum();
  const checksums = stated === undefined ? [] : [fullObject(stated.algorithm, stated.digest)];
  return {
    ...bodyFields(written, { size, etag, checksums: checksums.map(toRecord) }),
    md5,
    whole: false,
  };
}

/** The inline bytes that are there and the added ones, as one new body. */
async function writeWhole(
  context: ObjectContext,
  appending: Appending,
  sealing: Sealing | undefined,
): Promise<Addition> {
  const { body, size } = appending;
  const found =
    sealing === undefined ? appending.found : { ...appending.found, dataKey: sealing.dataKey };
  const whole = createHash("md5");
  async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const view of objectBytes(context, found, { first: 0, last: found.size - 1 })) {
      whole.update(view);
      yield view;
    }
    for await (const view of body.stream()) {
      whole.update(view);
      yield view;
    }
  }
  const wholeSize = found.size + size;
  const written = await write(context, {
    ...appending,
    size: wholeSize,
    source: source(),
    inlineBytesMax: context.gateway.settings.inlineBytes,
    sealing,
  });
  const etag = md5Etag(entityDigest(context, sealing, whole.digest()));
  return {
    ...bodyFields(written, { size: wholeSize, etag, checksums: [] }),
    md5: body.digest("MD5"),
    whole: true,
    ifVersionId: found.version.versionId,
  };
}

interface Writing extends Appending {
  readonly source: AsyncIterable<Uint8Array>;
  readonly inlineBytesMax: number;
  readonly sealing: Sealing | undefined;
}

async function write(context: ObjectContext, writing: Writing): Promise<WrittenBody> {
  const { found, body, size, source, inlineBytesMax, sealing } = writing;
  const { bucket, key } = context;
  const { storageClass } = found.version;
  const target = { bucket, key, size, storageClass, source, inlineBytesMax, sealing };
  const written = await writeBody(context, target);
  assert(body.isVerified, "AppendObject: the body was not verified before its commit");
  return written;
}

type Described = {
  readonly size: number;
  readonly etag: string;
  readonly checksums: ReturnType<typeof toRecord>[];
};

export function bodyFields(
  written: WrittenBody,
  { size, etag, checksums }: Described,
): Pick<Addition, "version" | "manifest"> {
  const { seal } = written;
  return {
    version: {
      size: BigInt(size),
      etag,
      checksums,
      body:
        written.kind === "inline"
          ? { case: "inline", value: written.bytes }
          : { case: "manifestId", value: written.manifest.manifestId },
      ...(seal === undefined ? {} : { encryption: seal.encryption, bodyNonce: seal.bodyNonce }),
    },
    ...(written.kind === "manifest" ? { manifest: written.manifest } : {}),
  };
}
