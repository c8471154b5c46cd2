// The body of a POST form: first its fields, then its file, hashed as it passes. The file's stream
// ends only when the form ended as a form, the file has the length that the policy allows, and it
// hashes to what a field says.
import { assert } from "../../lib/base/assert.ts";
import { PUT_BODY_BYTES_MAX } from "../../lib/base/limits.ts";
import { checkChecksum, parseChecksumHeaders } from "../../lib/s3/checksum-headers.ts";
import { type ChecksumAlgorithm, type ChecksumFactory, HasherSet } from "../../lib/s3/checksums.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import type { HeaderList } from "../../lib/s3/headers.ts";
import { type PostForm, PostFormParser } from "../../lib/s3/post-form/form-parser.ts";
import { checkFileLength, type LengthRange } from "../../lib/s3/post-form/form-policy.ts";
import type { RequestBody } from "./request-body.ts";

export interface FileChecks {
  readonly checksums: ChecksumFactory;
  /** The form's fields as headers. */
  readonly headers: HeaderList;
  /** What the policy allows. */
  readonly length: LengthRange | undefined;
}

export interface FileDigests {
  readonly md5: Uint8Array;
  readonly checksum:
    | { readonly algorithm: ChecksumAlgorithm; readonly digest: Uint8Array }
    | undefined;
}

export class FormBody {
  readonly #parser: PostFormParser;
  readonly #views: AsyncIterator<Uint8Array>;
  #held: readonly Uint8Array[] = [];
  #digests: FileDigests | undefined;

  /** Reads nothing yet. Throws RequestIsNotMultiPartContent. */
  constructor(body: RequestBody, contentType: string | undefined) {
    this.#parser = new PostFormParser(contentType);
    this.#views = body.read();
  }

  /** Reads up to the file. Throws MalformedPOSTRequest and what else the parser throws. */
  async readFields(): Promise<PostForm> {
    for (;;) {
      const next = await this.#views.next();
      if (next.done === true) return this.#parser.finish();
      this.#held = this.#parser.push(next.value);
      const { form } = this.#parser;
      if (form !== undefined) return form;
    }
  }

  /** Once the stream of the file has ended. */
  get digests(): FileDigests {
    assert(this.#digests !== undefined, "FormBody: digests of a file that has not ended");
    return this.#digests;
  }

  /** The file, once; after readFields. Throws EntityTooLarge, EntityTooSmall, BadDigest. */
  async *file({ checksums, headers, length }: FileChecks): AsyncGenerator<Uint8Array> {
    const stated = parseChecksumHeaders(headers);
    if (stated?.value.kind === "trailer") {
      throw new S3Error("InvalidRequest", "A form has no trailers.");
    }
    const hashers = new HasherSet(checksums, [
      "MD5",
      ...(stated === undefined ? [] : [stated.algorithm]),
    ]);
    let bytes = 0;
    for await (const view of this.#fileViews()) {
      bytes += view.byteLength;
      if (bytes > PUT_BODY_BYTES_MAX) throw new S3Error("EntityTooLarge");
      checkFileLength(length, bytes, false);
      hashers.update(view);
      yield view;
    }
    checkFileLength(length, bytes, true);
    const digest = stated === undefined ? undefined : hashers.digest(stated.algorithm);
    if (stated?.value.kind === "header" && digest !== undefined) {
      checkChecksum(stated.algorithm, stated.value.digest, digest);
    }
    this.#digests = {
      md5: hashers.digest("MD5"),
      checksum:
        stated === undefined || digest === undefined
          ? undefined
          : { algorithm: stated.algorithm, digest },
    };
  }

  async *#fileViews(): AsyncGenerator<Uint8Array> {
    yield* this.#held;
    for (;;) {
      const next = await this.#views.next();
      if (next.done === true) break;
      yield* this.#parser.push(next.value);
    }
    this.#parser.finish();
  }
}
