// The fields of a POST form before its file, by lower-case name, and their reading as the headers
// of a PutObject. A field that occurs twice is refused: a policy could be checked against one and
// the object made from the other. Source: Amazon S3 API reference, POST Object, form fields.
import { checkKey } from "../addressing.ts";
import { invalidArgument, isS3Error, S3Error } from "../errors.ts";
import { type HeaderField, HeaderList } from "../headers.ts";

const FILE_NAME_VARIABLE = /\$\{filename\}/g;
/** Fields that mean the header of the same name. */
const HEADER_FIELDS: ReadonlySet<string> = new Set([
  "cache-control",
  "content-type",
  "content-disposition",
  "content-encoding",
  "content-language",
  "expires",
]);
/** x-amz- fields that are about the form itself. */
const FORM_FIELDS: ReadonlySet<string> = new Set([
  "x-amz-algorithm",
  "x-amz-credential",
  "x-amz-date",
  "x-amz-signature",
]);

export class FormFields {
  readonly #values = new Map<string, string>();

  get size(): number {
    return this.#values.size;
  }

  /** `name` in any case. Throws InvalidArgument when it is there already. */
  add(name: string, value: string): void {
    const key = name.toLowerCase();
    if (this.#values.has(key)) {
      throw invalidArgument("The form field may be given only once.", key, value);
    }
    this.#values.set(key, value);
  }

  /** Value of `name` (lower case). */
  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** Names in order of arrival. */
  names(): readonly string[] {
    return [...this.#values.keys()];
  }

  /** The same fields with the name of the file in place of every `${filename}`. */
  withFileName(fileName: string): FormFields {
    const expanded = new FormFields();
    for (const [name, value] of this.#values) {
      expanded.add(
        name,
        value.replaceAll(FILE_NAME_VARIABLE, () => fileName),
      );
    }
    return expanded;
  }
}

/**
 * The key the form names. `fields` are expanded. Throws UserKeyMustBeSpecified, KeyTooLongError.
 */
export function formKey(fields: FormFields): string {
  const key = fields.get("key");
  if (key !== undefined && key !== "") return checkKey(key);
  throw new S3Error(
    "UserKeyMustBeSpecified",
    "Bucket POST must contain a field named 'key'.  If it is specified, please check the order " +
      "of the fields.",
  );
}

/**
 * The headers a PutObject would have: x-amz-*, `acl` as x-amz-acl, and system headers. Without a
 * field for it the type is that of the file part. Throws InvalidArgument (no header value).
 */
export function formHeaders(fields: FormFields, fileContentType?: string): HeaderList {
  const headers: HeaderField[] = [];
  for (const name of fields.names()) {
    const value = toHeaderBytes(fields.get(name) ?? "");
    if (name === "acl") headers.push(["x-amz-acl", value]);
    else if (HEADER_FIELDS.has(name)) headers.push([name, value]);
    else if (name.startsWith("x-amz-") && !FORM_FIELDS.has(name)) headers.push([name, value]);
  }
  if (fields.get("content-type") === undefined && fileContentType !== undefined) {
    headers.push(["content-type", toHeaderBytes(fileContentType)]);
  }
  try {
    return new HeaderList(headers);
  } catch (error) {
    if (isS3Error(error, "RequestHeaderSectionTooLarge")) {
      throw new S3Error("MaxPostPreDataLengthExceededError", undefined, { cause: error });
    }
    throw error;
  }
}

/** One byte a character, as values of headers are kept. */
function toHeaderBytes(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
