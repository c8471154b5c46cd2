// The docker command for tests: whether a daemon answers, containers with everything that the
// library for containers has no word for, and their removal. Every name is drawn, so several runs
// may share a daemon.
import { randomBytes } from "node:crypto";
import process from "node:process";
import { runCommand } from "../support/run-command.ts";

/** The image under test; `deploy/build-image.sh` makes it. */
export const IMAGE = process.env.DOLIUM_TEST_IMAGE ?? "dolium:latest";

/** The output of a docker command. Throws with what it said when it fails. */
export async function docker(...args: readonly string[]): Promise<string> {
  return (await runCommand("docker", args)).trim();
}

/** Why tests with containers cannot run here; undefined when they can. */
export async function missingDocker(): Promise<string | undefined> {
  // The reaper of the library for containers is an image of its own; tests remove what they made.
  process.env.TESTCONTAINERS_RYUK_DISABLED = "true";
  try {
    await docker("version", "--format", "{{.Server.Version}}");
  } catch {
    return "no docker daemon answers";
  }
  try {
    await docker("image", "inspect", "--format", "{{.Id}}", IMAGE);
    return undefined;
  } catch {
    return `there is no image ${IMAGE}: deploy/build-image.sh makes it`;
  }
}

export function drawName(what: string): string {
  return `dolium-test-${what}-${randomBytes(4).toString("hex")}`;
}

/** The address of a container that others on this machine reach it at. */
export async function addressOf(container: string, network = "bridge"): Promise<string> {
  const path = `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`;
  return docker("inspect", "--format", path, container);
}
