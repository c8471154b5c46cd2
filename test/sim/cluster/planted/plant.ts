// All planted bugs by name, and how one is put into a run.
import type { Fault } from "../nemesis.ts";
import type { Bug, Places } from "./bug.ts";
import { DISK_BUGS } from "./disk-bugs.ts";
import { KEEPER_BUGS } from "./keeper-bugs.ts";
import { READ_BUGS } from "./read-bugs.ts";
import { WRITE_BUGS } from "./write-bugs.ts";

export const PLANTED_BUGS: ReadonlyMap<string, Bug> = new Map<string, Bug>(
  Object.entries({ ...WRITE_BUGS, ...READ_BUGS, ...KEEPER_BUGS, ...DISK_BUGS }),
);

export interface Plants extends Places {
  /** The faults that bring the bug out; undefined: as the seed draws them. */
  readonly faults: readonly Fault[] | undefined;
}

/** Undefined: everything as it is. */
export function plant(bug: Bug | undefined): Plants {
  return {
    disk: (_role, disk) => disk,
    kvFactory: (_name, factory) => factory,
    gateway: (clients) => clients,
    keeper: (clients) => clients,
    keeperConfig: {},
    install: () => () => undefined,
    ...bug?.places,
    faults: bug?.faults,
  };
}
