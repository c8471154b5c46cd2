// Whether programs that tests of monitoring call are there.
import { spawnSync } from "node:child_process";

export function hasPrograms(...names: readonly string[]): boolean {
  return names.every((name) => spawnSync(name, ["--version"]).status === 0);
}
