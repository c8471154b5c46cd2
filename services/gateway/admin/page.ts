// Pages of lists in memory: `?limit=&after=` over items in ascending order of a name.
import { type AdminAnswer, json } from "./admin-answer.ts";
import { invalidArgument } from "./admin-error.ts";
import type { AdminContext, QueryParameter } from "./admin-operation.ts";

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1000;

export const PAGE_QUERY: readonly QueryParameter[] = [
  { name: "limit", description: `Items a page, 1 to ${LIMIT_MAX}; ${LIMIT_DEFAULT} unless given.` },
  { name: "after", description: "`next` of the page before." },
];

export function limitOf(query: URLSearchParams): number {
  const text = query.get("limit");
  if (text === null) return LIMIT_DEFAULT;
  const limit = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > LIMIT_MAX) {
    throw invalidArgument(`limit must be a number from 1 to ${LIMIT_MAX}`);
  }
  return limit;
}

/** The page that the query asks for; `nameOf` says by what the items are ordered. */
export async function page<T>(
  context: Pick<AdminContext, "query">,
  items: Iterable<T>,
  show: {
    readonly nameOf: (item: T) => string;
    readonly view: (items: readonly T[]) => Promise<readonly unknown[]> | readonly unknown[];
  },
): Promise<AdminAnswer> {
  const limit = limitOf(context.query);
  const after = context.query.get("after") ?? "";
  const { nameOf, view } = show;
  const sorted = [...items].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const rest = sorted.filter((item) => nameOf(item) > after);
  const shown = rest.slice(0, limit);
  const last = shown.at(-1);
  const next = rest.length > limit && last !== undefined ? nameOf(last) : undefined;
  const viewed = await view(shown);
  return json(next === undefined ? { items: viewed } : { items: viewed, next });
}
