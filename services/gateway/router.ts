// Finds the row of the operation table that a request asks for: method, level, sub-resources,
// header. Exactly the sub-resources a row names must be there, so that an action we do not have is
// refused as such and never taken for another one.
import { S3Error } from "../lib/s3/errors.ts";
import type { Level, Operation } from "./operation.ts";
import type { S3Request } from "./request.ts";
import { isSubresource } from "./subresources.ts";

export type Route =
  | { readonly kind: "found"; readonly operation: Operation }
  | { readonly kind: "refused"; readonly error: S3Error };

/** What the request addresses. */
export function levelOf(request: S3Request): Level {
  if (request.address.bucket === undefined) return "service";
  return request.address.key === undefined ? "bucket" : "object";
}

export class Router {
  readonly #operations: readonly Operation[];

  constructor(operations: readonly Operation[]) {
    // The row that asks for more comes first.
    this.#operations = operations.toSorted((a, b) => demands(b) - demands(a));
  }

  /** The operation, or NotImplemented (an action of S3 we do not have) or MethodNotAllowed. */
  route(request: S3Request): Route {
    const level = levelOf(request);
    const names = [...new Set(request.target.query.list.map(({ name }) => name))];
    const subresources = names.filter((name) => isSubresource(level, name));
    const operation = this.#operations.find(
      (row) => row.method === request.method && matches(row, request, subresources),
    );
    if (operation !== undefined) return { kind: "found", operation };
    return { kind: "refused", error: this.#refusal(request, subresources) };
  }

  #refusal(request: S3Request, subresources: readonly string[]): S3Error {
    const level = levelOf(request);
    const unknown = subresources.find((name) => !this.#serves(level, name));
    if (unknown !== undefined) {
      return new S3Error("NotImplemented", `The sub-resource ${unknown} is not implemented.`, {
        details: [["SubResource", unknown]],
      });
    }
    return new S3Error("MethodNotAllowed", undefined, {
      details: [
        ["Method", request.method],
        ["ResourceType", level.toUpperCase()],
      ],
    });
  }

  #serves(level: Level, name: string): boolean {
    return this.#operations.some(
      ({ match }) => match.level === level && match.query?.includes(name) === true,
    );
  }
}

function demands({ match }: Operation): number {
  return (
    (match.query?.length ?? 0) +
    (match.queryValue === undefined ? 0 : 1) +
    (match.header === undefined ? 0 : 1)
  );
}

function matches(row: Operation, request: S3Request, subresources: readonly string[]): boolean {
  const { level, query: required = [], queryValue, header } = row.match;
  if (level !== levelOf(request)) return false;
  const { query } = request.target;
  if (!required.every((name) => query.has(name))) return false;
  if (!subresources.every((name) => required.includes(name))) return false;
  if (queryValue !== undefined && query.get(queryValue[0]) !== queryValue[1]) return false;
  return header === undefined || request.headers.has(header);
}
