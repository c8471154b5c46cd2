// Documents that replication sends: tags of a replica, and the end of an upload.
import type { PartReference, Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { openDocument } from "../../lib/s3/document-parts.ts";
import { algorithmName, base64Of } from "./replica-digest.ts";

export function tagsDocument(tags: Version["tags"]): string {
  const writer = openDocument("Tagging").open("TagSet");
  for (const { name, value } of tags) {
    writer.open("Tag").leaf("Key", name).leaf("Value", value).close("Tag");
  }
  return writer.close("TagSet").close("Tagging").finish();
}

export interface SentPart {
  readonly part: PartReference;
  /** As it was answered, with quotes. */
  readonly etag: string;
}

export function completionDocument(parts: readonly SentPart[], hasChecksums: boolean): string {
  const writer = openDocument("CompleteMultipartUpload");
  for (const { part, etag } of parts) {
    writer.open("Part").leaf("PartNumber", part.partNumber).leaf("ETag", etag);
    for (const { algorithm, value } of hasChecksums ? part.checksums : []) {
      const name = algorithmName(algorithm);
      if (name !== undefined) writer.leaf(`Checksum${name}`, base64Of(value));
    }
    writer.close("Part");
  }
  return writer.close("CompleteMultipartUpload").finish();
}
