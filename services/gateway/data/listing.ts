// One page of a listing of keys, and what documents show of its entries.
import { fromUtf8, utf8 } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import type { ListedObject } from "../../lib/s3/list-documents.ts";
import type { BucketContext } from "../operation.ts";
import { shownBytes, storedMarker, viewPrefix } from "./bucket-view.ts";
import { algorithmOf, typeOf } from "./checksum-records.ts";
import { withImpliedFolders } from "./implied-folders.ts";
import { type ListedEntry, listedEntries } from "./listed-entry.ts";
import { queryAt } from "./name-space.ts";
import { shownOwner, shownStorageClass } from "./object-record.ts";
import { listOverRanges } from "./range-pages.ts";

export interface PageQuestion {
  readonly prefix: string;
  readonly delimiter: string | undefined;
  /** Keys and common prefixes after this one. */
  readonly startAfter: Uint8Array;
  /** Keys and common prefixes together. */
  readonly limit: number;
}

export interface ObjectPage {
  readonly entries: readonly ListedEntry[];
  readonly commonPrefixes: readonly Uint8Array[];
  /** Where the next page goes on; undefined at the end. */
  readonly nextStartAfter: Uint8Array | undefined;
}

/**
 * Lists a page. A limit of 0 answers an empty page that is not truncated. Question and page have
 * keys as the client knows them.
 */
export async function listPage(
  context: BucketContext,
  question: PageQuestion,
): Promise<ObjectPage> {
  const stored = await listStored(context, {
    ...question,
    prefix: viewPrefix(context) + question.prefix,
    startAfter: storedMarker(context, question.startAfter),
  });
  const page = shownPage(context, stored);
  const { lenient } = context.gateway.settings;
  return lenient.impliedFolders ? withImpliedFolders(page, question) : page;
}

function shownPage(context: BucketContext, page: ObjectPage): ObjectPage {
  if (context.request.view === undefined) return page;
  const shown = (key: Uint8Array): Uint8Array => shownBytes(context, key);
  const { entries, commonPrefixes, nextStartAfter: next } = page;
  return {
    entries: entries.map((entry) => ({ ...entry, key: shown(entry.key) })),
    commonPrefixes: commonPrefixes.map(shown),
    nextStartAfter: next === undefined ? undefined : shown(next),
  };
}

async function listStored(context: BucketContext, question: PageQuestion): Promise<ObjectPage> {
  const { bucket } = context;
  const { prefix, delimiter, startAfter, limit } = question;
  const page = await listOverRanges(context, {
    prefix,
    marker: { key: startAfter },
    limit,
    ask: async (range, marker, most) => {
      const answer = await queryAt<"listObjects">(
        context,
        { bucket, key: range.start },
        {
          case: "listObjects",
          value: {
            bucketId: bucket.bucketId,
            prefix: utf8(prefix),
            delimiter: utf8(delimiter ?? ""),
            startAfter: marker.key,
            limit: most,
            packed: true,
          },
        },
      );
      const { commonPrefixes, truncated, nextStartAfter } = answer;
      const entries = listedEntries(answer);
      return { entries, commonPrefixes, truncated, next: { key: nextStartAfter } };
    },
    afterEntry: ({ key }) => ({ key }),
    afterPrefix: (key) => ({ key }),
  });
  return { ...page, nextStartAfter: page.next?.key };
}

/** A key or prefix as text. Keys are checked when they are written, so others mean damage. */
export function keyText(key: Uint8Array): string {
  const text = fromUtf8(key);
  if (text === undefined) throw new StoreError("corrupt", "a stored key is not valid UTF-8");
  return text;
}

/** An entry as documents show it. */
export function listedObject(
  context: BucketContext,
  entry: ListedEntry,
  withOwner: boolean,
): ListedObject {
  const { modifiedMs, etag, size, storageClass, checksum } = entry;
  return {
    key: keyText(entry.key),
    lastModifiedMs: modifiedMs,
    etag,
    size,
    storageClass: shownStorageClass(storageClass),
    owner: withOwner ? shownOwner(entry.owner, context) : undefined,
    checksumAlgorithm: checksum === undefined ? undefined : algorithmOf(checksum.algorithm),
    checksumType: checksum === undefined ? undefined : (typeOf(checksum.type) ?? "FULL_OBJECT"),
  };
}
