// Who this replica is, in one small file that is replaced as a whole. The id is made durable before
// it is told to anybody. A replica whose data is lost or bad keeps its name and draws a new id;
// folders of ids that it gave up stay until the new id is a full member.

import { StoreError } from "../lib/base/errors.ts";
import { makeFolder } from "../lib/base/power-safe-folders.ts";
import type { Disk } from "../lib/ports/disk.ts";
import { readAtomically, writeAtomically } from "./state/atomic-file.ts";

export interface KnownMember {
  readonly replicaId: number;
  readonly name: string;
  readonly address: string;
}

export interface Identity {
  readonly replicaId: number;
  /** Empty: belongs to no cluster yet. */
  readonly clusterId: string;
  readonly groupIds: readonly number[];
  /** The members the cluster began with. */
  readonly founders: readonly KnownMember[];
  /** This id is one of the founders and may begin groups; else it waits to be added to them. */
  readonly isFounder: boolean;
  /** The log was created: from then on a missing log is a lost one. */
  readonly hasLog: boolean;
  /** This id has been a voter in every group. */
  readonly isMember: boolean;
  /** Ids given up, whose folders are still there. */
  readonly formerIds: readonly number[];
}

const FILE = "identity";

export function freshIdentity(replicaId: number): Identity {
  return {
    replicaId,
    clusterId: "",
    groupIds: [],
    founders: [],
    isFounder: false,
    hasLog: false,
    isMember: false,
    formerIds: [],
  };
}

export class IdentityFile {
  readonly #disk: Disk;
  readonly #folder: string;
  #identity: Identity;

  constructor(disk: Disk, folder: string, identity: Identity) {
    this.#disk = disk;
    this.#folder = folder;
    this.#identity = identity;
  }

  /**
   * Reads the identity, or makes the one that `fresh` gives durable when there is none. Throws
   * "corrupt" when the file is unreadable: an operator must decide, because the data beside it may
   * be good.
   */
  static async open(disk: Disk, folder: string, fresh: () => Identity): Promise<IdentityFile> {
    await makeFolder(disk, folder);
    const text = await readAtomically(disk, { folder, name: FILE });
    const file = new IdentityFile(disk, folder, text === undefined ? fresh() : parse(text));
    if (text === undefined) await file.update({});
    return file;
  }

  /** Renames an unreadable file out of the way. */
  static async setAside(disk: Disk, folder: string): Promise<void> {
    await disk.rename(`${folder}/${FILE}`, `${folder}/${FILE}.bad`);
    await disk.syncDirectory(folder);
  }

  get value(): Identity {
    return this.#identity;
  }

  /** Power-safe when it resolves. */
  async update(change: Partial<Identity>): Promise<void> {
    const next = { ...this.#identity, ...change };
    const text = JSON.stringify(next, undefined, 1);
    await writeAtomically(this.#disk, { folder: this.#folder, name: FILE }, text);
    this.#identity = next;
  }
}

function parse(text: string): Identity {
  try {
    const value: unknown = JSON.parse(text);
    if (isIdentity(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new StoreError("corrupt", "the identity file does not hold an identity");
}

function isIdentity(value: unknown): value is Identity {
  if (typeof value !== "object" || value === null) return false;
  const fields: Partial<Record<keyof Identity, unknown>> = value;
  return (
    Number.isSafeInteger(fields.replicaId) &&
    typeof fields.clusterId === "string" &&
    Array.isArray(fields.groupIds) &&
    Array.isArray(fields.founders) &&
    typeof fields.isFounder === "boolean" &&
    typeof fields.hasLog === "boolean" &&
    typeof fields.isMember === "boolean" &&
    Array.isArray(fields.formerIds)
  );
}
