// The answer to a POST form that was stored: a redirect where the form asks for one, otherwise the
// status it asks for. Source: Amazon S3 API reference, POST Object, success_action_redirect and
// success_action_status.
import { quoteEtag } from "../etag.ts";
import type { HeaderField } from "../headers.ts";
import { uriEncode } from "../uri-encoding.ts";
import { XmlWriter } from "../xml-writer.ts";
import type { FormFields } from "./form-fields.ts";

export interface StoredForm {
  /** URL of the object. */
  readonly location: string;
  readonly bucket: string;
  readonly key: string;
  /** Unquoted. */
  readonly etag: string;
}

export interface FormAnswer {
  readonly status: 200 | 201 | 204 | 303;
  readonly headers: readonly HeaderField[];
  /** XML; undefined for no body. */
  readonly body: string | undefined;
}

/** `fields` are expanded. A redirect that is no URL counts as absent, a status not known as 204. */
export function formAnswer(fields: FormFields, stored: StoredForm): FormAnswer {
  const etag = quoteEtag(stored.etag);
  const location: HeaderField = ["Location", stored.location];
  const wanted = fields.get("success_action_redirect") ?? fields.get("redirect");
  const redirect = wanted === undefined ? undefined : redirectUrl(wanted, stored);
  if (redirect !== undefined) {
    return {
      status: 303,
      headers: [
        ["Location", redirect],
        ["ETag", etag],
      ],
      body: undefined,
    };
  }
  const headers: readonly HeaderField[] = [location, ["ETag", etag]];
  switch (fields.get("success_action_status")) {
    case "200":
      return { status: 200, headers, body: undefined };
    case "201":
      return { status: 201, headers, body: postDocument(stored) };
    default:
      return { status: 204, headers, body: undefined };
  }
}

/** The URL with bucket, key and entity tag as parameters, or undefined when `text` is no URL. */
function redirectUrl(text: string, { bucket, key, etag }: StoredForm): string | undefined {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const added =
    `bucket=${uriEncode(bucket, false)}&key=${uriEncode(key, false)}` +
    `&etag=${uriEncode(quoteEtag(etag), false)}`;
  const query = url.search === "" ? `?${added}` : `${url.search}&${added}`;
  return `${url.origin}${url.pathname}${query}${url.hash}`;
}

function postDocument(stored: StoredForm): string {
  const writer = new XmlWriter().open("PostResponse").leaf("Location", stored.location);
  writer.leaf("Bucket", stored.bucket).leaf("Key", stored.key);
  return writer.leaf("ETag", quoteEtag(stored.etag)).close("PostResponse").finish();
}
