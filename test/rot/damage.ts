// One piece of damage to one file, as media and firmware do it: a flipped bit, a lost end, a block
// of zeros, a block that was written to the place of another.
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

export const DAMAGES = ["flip", "truncate", "zero", "swap"] as const;
export type Damage = (typeof DAMAGES)[number];

const BLOCK_BYTES = 4096;

/** Files with content below `folder`, sorted. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => statSync(path).size > 0)
    .sort();
}

/** Damages a file that is not empty; says where. `random` gives numbers in [0, 1). */
export function damage(path: string, kind: Damage, random: () => number): string {
  const file = openSync(path, "r+");
  try {
    const { size } = fstatSync(file);
    const at = Math.floor(random() * size);
    const block = at - (at % BLOCK_BYTES);
    const length = Math.min(BLOCK_BYTES, size - block);
    switch (kind) {
      case "flip": {
        const byte = readAt(file, at, 1);
        byte[0] = (byte[0] ?? 0) ^ (1 << Math.floor(random() * 8));
        writeSync(file, byte, 0, 1, at);
        return `bit flipped at ${at} of ${size}`;
      }
      case "truncate":
        ftruncateSync(file, at);
        return `cut to ${at} of ${size}`;
      case "zero":
        writeSync(file, Buffer.alloc(length), 0, length, block);
        return `zeros at ${block} of ${size}`;
      case "swap": {
        const blocks = Math.ceil(size / BLOCK_BYTES);
        const other = Math.floor(random() * blocks) * BLOCK_BYTES;
        const bytes = Math.min(length, size - other);
        const first = readAt(file, block, bytes);
        const second = readAt(file, other, bytes);
        writeSync(file, second, 0, bytes, block);
        writeSync(file, first, 0, bytes, other);
        return `blocks at ${block} and ${other} of ${size} swapped`;
      }
    }
  } finally {
    closeSync(file);
  }
}

function readAt(file: number, offset: number, bytes: number): Buffer {
  const content = Buffer.alloc(bytes);
  readSync(file, content, 0, bytes, offset);
  return content;
}
