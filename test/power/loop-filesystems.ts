// File systems in loop files whose power can be cut: `cut` shuts them down at once, so that
// whatever was not synced is gone when they are mounted again. Needs root and xfs_io; `cannotCut`
// says what is missing. `remove` leaves neither mounts nor loop devices nor images.
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "../support/eventually.ts";

export type FilesystemKind = "ext4" | "xfs";

/** XFS refuses to be smaller. */
const IMAGE_MIB = 400;
const UNMOUNT_TIMEOUT_MS = 180_000;
const run = promisify(execFile);

interface Mount {
  readonly image: string;
  readonly target: string;
  device: string;
  isMounted: boolean;
}

/** Undefined when power cuts work here, else why not. */
export function cannotCut(kind: FilesystemKind, folder: string): string | undefined {
  let systems: LoopFilesystems | undefined;
  try {
    execFileSync("xfs_io", ["-V"], { stdio: "pipe" });
    systems = LoopFilesystems.make(kind, { folder, count: 1 });
    return undefined;
  } catch (error) {
    return `no power cuts on ${kind} here: ${String(error).split("\n")[0]}`;
  } finally {
    systems?.remove();
  }
}

export class LoopFilesystems {
  readonly #kind: FilesystemKind;
  readonly #root: string;
  readonly #mounts: Mount[];

  private constructor(kind: FilesystemKind, root: string, count: number) {
    this.#kind = kind;
    this.#root = root;
    this.#mounts = Array.from({ length: count }, (_, at) => ({
      image: join(root, `image-${at}`),
      target: join(root, `mount-${at}`),
      device: "",
      isMounted: false,
    }));
  }

  /** `count` new file systems, mounted, in a new folder below `folder`. */
  static make(
    kind: FilesystemKind,
    { folder, count }: { readonly folder: string; readonly count: number },
  ): LoopFilesystems {
    const root = mkdtempSync(join(folder, "dolium-power-"));
    const systems = new LoopFilesystems(kind, root, count);
    try {
      systems.#format();
      return systems;
    } catch (error) {
      systems.remove();
      throw error;
    }
  }

  /** Where they are mounted. */
  get targets(): readonly string[] {
    return this.#mounts.map(({ target }) => target);
  }

  /**
   * Cuts the power of all of them. With `flushesLog`, what the file system's journal holds in
   * memory still reaches the disk.
   */
  async cut(flushesLog: boolean): Promise<void> {
    const order = flushesLog ? "shutdown -f" : "shutdown";
    await Promise.all(this.targets.map((target) => run("xfs_io", ["-x", "-c", order, target])));
  }

  /**
   * After a cut, when nobody has files open any more: mounts them again, which replays journals.
   */
  async remount(): Promise<void> {
    await Promise.all(
      this.#mounts.map(async (mount) => {
        await eventually(`unmount ${mount.target}`, UNMOUNT_TIMEOUT_MS, async () => {
          await run("umount", [mount.target]);
          return true;
        });
        mount.isMounted = false;
        // A mount namespace made meanwhile (by a container that starts) holds what was mounted then
        // for a while: mounting would find it again as it is, without power.
        await eventually(`the system lets go of ${mount.device}`, UNMOUNT_TIMEOUT_MS, async () =>
          existsSync(join("/sys/fs", this.#kind, basename(mount.device))) ? undefined : true,
        );
        await run("mount", [mount.device, mount.target]);
        mount.isMounted = true;
      }),
    );
  }

  /** Unmounts and removes everything; what fails is named at the end, after all was tried. */
  remove(): void {
    const failures: string[] = [];
    const attempt = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        failures.push(String(error));
      }
    };
    for (const mount of this.#mounts) {
      const { target, device, isMounted } = mount;
      if (isMounted) {
        attempt(() => execFileSync("umount", ["-l", target], { stdio: "pipe" }));
        mount.isMounted = false;
      }
      if (device !== "") {
        attempt(() => execFileSync("losetup", ["-d", device], { stdio: "pipe" }));
        mount.device = "";
      }
    }
    attempt(() => rmSync(this.#root, { recursive: true, force: true }));
    if (failures.length > 0) throw new Error(failures.join("; "));
  }

  #format(): void {
    for (const mount of this.#mounts) {
      const { image, target } = mount;
      execFileSync("truncate", ["-s", `${IMAGE_MIB}M`, image]);
      const force = this.#kind === "ext4" ? ["-F", "-m", "0"] : ["-f"];
      execFileSync(`mkfs.${this.#kind}`, ["-q", ...force, image], { stdio: "pipe" });
      mkdirSync(target);
      mount.device = execFileSync("losetup", ["--find", "--show", image], { stdio: "pipe" })
        .toString()
        .trim();
      execFileSync("mount", [mount.device, target], { stdio: "pipe" });
      mount.isMounted = true;
    }
  }
}
