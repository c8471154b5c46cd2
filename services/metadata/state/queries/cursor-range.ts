// Walks over a table whose cursor is the last key that was looked at.
import { StoreError } from "../../../lib/base/errors.ts";
import { type KeyRange, type Table, tableRange } from "../keys.ts";

/**
 * Keys of `table` after `cursor` (empty: all). Throws StoreError "invalid" for another table's key.
 */
export function rangeAfter(table: Table, cursor: Uint8Array): KeyRange {
  const whole = tableRange(table);
  if (cursor.byteLength === 0) return whole;
  if (cursor[0] !== table) throw new StoreError("invalid", "a cursor of another query");
  return { ...whole, from: Buffer.concat([cursor, Uint8Array.of(0)]) };
}
