// Keys in order as a tree: which folders are new on the way to the next key. Pure.

/** How many folders from the root on two paths, split at `/`, share. */
export function sharedDepth(first: readonly string[], second: readonly string[]): number {
  const folders = Math.min(first.length, second.length) - 1;
  let depth = 0;
  while (depth < folders && first[depth] === second[depth]) depth += 1;
  return depth;
}

/** The lines of a key below the last one: its new folders, then itself; indented from 1. */
export function* treeLines(
  former: readonly string[],
  segments: readonly string[],
  note: string,
): Generator<string> {
  for (let depth = sharedDepth(former, segments); depth < segments.length; depth += 1) {
    const isLeaf = depth === segments.length - 1;
    const name = segments[depth] ?? "";
    if (isLeaf && name === "") continue;
    yield `${"  ".repeat(depth + 1)}${name}${isLeaf ? note : "/"}`;
  }
}
