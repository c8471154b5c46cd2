// The files below a local folder in the order in which S3 lists keys, so that the two can be merged
// without holding either. Symbolic links are passed over unless asked for; links in a circle,
// devices, and names that are no UTF-8 are told as problems and passed over.
import { constants } from "node:fs";
import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { asCommandError } from "./failure.ts";

export interface LocalFile {
  readonly kind: "file";
  readonly path: string;
  /** Below the folder, with `/`. */
  readonly name: string;
  readonly bytes: number;
  /** Milliseconds since 1970, with a fraction. */
  readonly modifiedMs: number;
}

/** Something that is there and is left out; `reason` says why. */
export interface LocalProblem {
  readonly kind: "problem";
  readonly path: string;
  readonly reason: string;
}

export interface WalkOptions {
  /** Symbolic links are what they point at. */
  readonly follow: boolean;
  /** Names to pass over, our own unfinished downloads. */
  readonly leaveOut: (name: string) => boolean;
}

const NAMES_ARE_BYTES = { encoding: "buffer" } as const;

/** Throws CommandError when the folder itself cannot be read. */
export async function* walkFolder(
  folder: string,
  options: WalkOptions,
): AsyncGenerator<LocalFile | LocalProblem> {
  const root = { path: folder, prefix: "", above: [await realpath(folder)] };
  yield* walk(root, options, await namesOf(folder));
}

interface Place {
  readonly path: string;
  readonly prefix: string;
  /** Real paths of the folders on the way, against circles of links. */
  readonly above: readonly string[];
}

interface Child {
  readonly name: string;
  readonly path: string;
  readonly isFolder: boolean;
  readonly bytes: number;
  readonly modifiedMs: number;
}

async function* walk(
  place: Place,
  options: WalkOptions,
  names: readonly Buffer[],
): AsyncGenerator<LocalFile | LocalProblem> {
  const children: Child[] = [];
  for (const bytes of names) {
    const found = await childOf(place, options, bytes);
    if (found === undefined) continue;
    if ("kind" in found) yield found;
    else children.push(found);
  }
  const order = children.toSorted((first, second) =>
    Buffer.compare(sortName(first), sortName(second)),
  );
  for (const { name, path, isFolder, bytes, modifiedMs } of order) {
    const relative = `${place.prefix}${name}`;
    if (!isFolder) {
      yield { kind: "file", path, name: relative, bytes, modifiedMs };
      continue;
    }
    yield* walkInto({ path, prefix: `${relative}/`, above: place.above }, options);
  }
}

async function* walkInto(
  place: Place,
  options: WalkOptions,
): AsyncGenerator<LocalFile | LocalProblem> {
  try {
    const real = await realpath(place.path);
    if (place.above.includes(real)) {
      yield { kind: "problem", path: place.path, reason: "a link leads back to a folder above" };
      return;
    }
    const names = await namesOf(place.path);
    yield* walk({ ...place, above: [...place.above, real] }, options, names);
  } catch (error) {
    yield { kind: "problem", path: place.path, reason: reasonOf(error) };
  }
}

/** A folder's keys come where `name/` would. */
function sortName({ name, isFolder }: Child): Buffer {
  return Buffer.from(isFolder ? `${name}/` : name);
}

async function namesOf(folder: string): Promise<Buffer[]> {
  return readdir(folder, NAMES_ARE_BYTES);
}

/** Undefined for what is passed over in silence. */
async function childOf(
  place: Place,
  { follow, leaveOut }: WalkOptions,
  bytes: Buffer,
): Promise<Child | LocalProblem | undefined> {
  const name = bytes.toString("utf8");
  const path = join(place.path, name);
  if (leaveOut(name)) return undefined;
  if (!Buffer.from(name).equals(bytes)) {
    return { kind: "problem", path, reason: "its name is no UTF-8" };
  }
  try {
    const facts = await (follow ? stat(path) : lstat(path));
    if (facts.isSymbolicLink()) return undefined;
    const isFolder = facts.isDirectory();
    if (!isFolder && !facts.isFile()) {
      return { kind: "problem", path, reason: "it is neither a file nor a folder" };
    }
    return { name, path, isFolder, bytes: facts.size, modifiedMs: facts.mtimeMs };
  } catch (error) {
    return { kind: "problem", path, reason: reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  return asCommandError(error, "reading").message.replace(/^reading: /, "");
}

/** Flags for making a file that is not there and following no link. */
export const NEW_FILE_FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
