// A small ext4 file system in a loop file, for tests of full disks. Needs root; where that or mkfs
// is missing the tests that use it are skipped with the reason.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Undefined when small file systems can be made here, else why not. */
export function cannotMount(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "dolium-mount-"));
  try {
    mountSmall(folder, join(folder, "probe"), 16).unmount();
    return undefined;
  } catch (error) {
    return `no loop file system here: ${String(error).split("\n")[0]}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface SmallFilesystem {
  freeBytes(): number;
  unmount(): void;
}

/** Mounts `mebibytes` of ext4 on `target`; the image lies in `folder`. */
export function mountSmall(folder: string, target: string, mebibytes: number): SmallFilesystem {
  const image = join(folder, `${target.replaceAll("/", "_")}.img`);
  execFileSync("truncate", ["-s", `${mebibytes}M`, image]);
  execFileSync("mkfs.ext4", ["-q", "-F", "-m", "0", image], { stdio: "pipe" });
  mkdirSync(target, { recursive: true });
  execFileSync("mount", ["-o", "loop", image, target], { stdio: "pipe" });
  execFileSync("rm", ["-rf", join(target, "lost+found")]);
  return {
    freeBytes: () => {
      const usage = statfsSync(target);
      return usage.bavail * usage.bsize;
    },
    unmount: () => {
      execFileSync("umount", ["-l", target], { stdio: "pipe" });
    },
  };
}
