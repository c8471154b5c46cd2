// The query string as an ordered list with Map access. Names and values are strictly
// percent-decoded UTF-8, `+` is a space, nothing is merged, and no plain object ever holds a
// client's name.
import { S3Error } from "./errors.ts";
import { percentDecodeText } from "./uri-encoding.ts";

/** Most parameters one request may carry; the largest S3 action has about a dozen. */
const PARAMETERS_MAX = 256;

export interface QueryParameter {
  readonly name: string;
  /** Empty when the parameter has no `=`. */
  readonly value: string;
  /** False for `?acl`, true for `?acl=`. */
  readonly hasEquals: boolean;
}

export class QueryParameters {
  readonly list: readonly QueryParameter[];
  readonly #byName = new Map<string, string[]>();

  constructor(list: readonly QueryParameter[]) {
    this.list = list;
    for (const { name, value } of list) {
      const values = this.#byName.get(name);
      if (values === undefined) this.#byName.set(name, [value]);
      else values.push(value);
    }
  }

  /** Parses what stands after the `?`. Throws InvalidURI on a bad escape or too many parameters. */
  static parse(rawQuery: string): QueryParameters {
    const list: QueryParameter[] = [];
    for (const piece of rawQuery.split("&")) {
      if (piece === "") continue;
      const equals = piece.indexOf("=");
      const rawName = equals < 0 ? piece : piece.slice(0, equals);
      list.push({
        name: percentDecodeText(rawName, true),
        value: equals < 0 ? "" : percentDecodeText(piece.slice(equals + 1), true),
        hasEquals: equals >= 0,
      });
      if (list.length > PARAMETERS_MAX) throw new S3Error("InvalidURI");
    }
    return new QueryParameters(list);
  }

  /** First value of `name` (case matters), or undefined. */
  get(name: string): string | undefined {
    return this.#byName.get(name)?.[0];
  }

  /** Every value of `name`, in order. */
  all(name: string): readonly string[] {
    return this.#byName.get(name) ?? [];
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }
}
