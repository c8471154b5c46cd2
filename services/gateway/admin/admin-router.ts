// Finds the row of a request: method and path, segment by segment. A path that is there with
// another method is 405 and names those that are.
import { AdminError, invalidArgument, notFound } from "./admin-error.ts";
import type { AdminOperation } from "./admin-operation.ts";

export interface AdminRoute {
  readonly operation: AdminOperation;
  readonly parameters: Readonly<Record<string, string>>;
}

const SEGMENTS_MAX = 10;

export class AdminRouter {
  readonly #operations: readonly (readonly [readonly string[], AdminOperation])[];

  constructor(operations: readonly AdminOperation[]) {
    this.#operations = operations.map((operation) => [operation.path.split("/"), operation]);
  }

  /** `path`: below the base, as sent. Throws AdminError: 400, 404, 405. */
  route(method: string, path: string): AdminRoute {
    const raw = path.split("/");
    if (raw.length > SEGMENTS_MAX) throw notFound("NoSuchPath", "there is no such path");
    const segments = raw.map(decodeSegment);
    const there = this.#operations.filter(([pattern]) => fits(pattern, segments));
    // A word of the path goes before a parameter at the same place.
    const found = there
      .filter(([, operation]) => operation.method === method)
      .toSorted(([a], [b]) => parameterCount(a) - parameterCount(b))[0];
    if (found !== undefined) {
      const [pattern, operation] = found;
      return { operation, parameters: parametersOf(pattern, segments) };
    }
    if (there.length === 0) throw notFound("NoSuchPath", `there is no ${path}`);
    const methods = there.map(([, operation]) => operation.method).join(", ");
    throw new AdminError(405, "MethodNotAllowed", `${path} knows ${methods}, not ${method}`);
  }
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw invalidArgument(`the path is not percent-encoded UTF-8: ${String(cause)}`);
  }
}

function isParameter(part: string): boolean {
  return part.startsWith("{");
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  if (pattern.length !== segments.length) return false;
  return pattern.every((part, at) =>
    isParameter(part) ? segments[at] !== "" : part === segments[at],
  );
}

function parameterCount(pattern: readonly string[]): number {
  return pattern.filter(isParameter).length;
}

function parametersOf(
  pattern: readonly string[],
  segments: readonly string[],
): Readonly<Record<string, string>> {
  const pairs = pattern.flatMap((part, at) =>
    isParameter(part) ? [[part.slice(1, -1), segments[at] ?? ""] as const] : [],
  );
  return Object.fromEntries(pairs);
}
