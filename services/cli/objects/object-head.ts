// What a HEAD says of an object, in the words of transfers: size, tag, checksum, time, metadata.
import { HeadObjectCommand, type HeadObjectCommandOutput } from "@aws-sdk/client-s3";
import { bareEtag, type Checksum, checksumOf } from "./checksum-kinds.ts";
import { about } from "./failure.ts";
import { parseFileTime, TIME_METADATA } from "./file-time.ts";
import { type RemoteLocation, shownLocation } from "./location.ts";
import type { CustomerKey, ObjectContext } from "./object-context.ts";

export interface ObjectHead {
  readonly bytes: number;
  /** As If-Match wants it: quoted. */
  readonly etag: string;
  readonly versionId: string | undefined;
  readonly checksum: Checksum | undefined;
  /** Of the file it was made of, else when it was stored; milliseconds since 1970. */
  readonly fileTimeMs: number | undefined;
  /** The time in its metadata alone. */
  readonly keptTimeMs: number | undefined;
  /** False where the entity tag says nothing of the bytes (keys of KMS or of a caller). */
  readonly plainEtag: boolean;
  readonly answer: HeadObjectCommandOutput;
}

export interface HeadCall {
  readonly location: RemoteLocation;
  readonly versionId?: string | undefined;
  readonly customerKey?: CustomerKey | undefined;
  readonly partNumber?: number;
}

/** Throws CommandError; code NotFound where there is none. */
export async function headObject(context: ObjectContext, call: HeadCall): Promise<ObjectHead> {
  const { location, versionId, partNumber } = call;
  const answer = await about(shownLocation(location), () =>
    context.s3.send(
      new HeadObjectCommand({
        Bucket: location.bucket,
        Key: location.key,
        ...(versionId === undefined ? {} : { VersionId: versionId }),
        ...(partNumber === undefined ? {} : { PartNumber: partNumber }),
        ...call.customerKey,
      }),
      { abortSignal: context.signal },
    ),
  );
  return headOf(answer);
}

export function headOf(answer: HeadObjectCommandOutput): ObjectHead {
  const keptTimeMs = parseFileTime(answer.Metadata?.[TIME_METADATA]);
  return {
    bytes: answer.ContentLength ?? 0,
    etag: answer.ETag ?? "",
    versionId: answer.VersionId,
    checksum: checksumOf(answer),
    fileTimeMs: keptTimeMs ?? answer.LastModified?.getTime(),
    keptTimeMs,
    plainEtag:
      bareEtag(answer.ETag) !== "" &&
      answer.SSECustomerAlgorithm === undefined &&
      answer.SSEKMSKeyId === undefined,
    answer,
  };
}
