// The compose files start what they say: one node, and a cluster whose storage is scaled while it
// runs. Where there is no compose they are skipped.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import { missing, runCommand } from "../support/run-command.ts";
import { addressOf, docker, drawName, IMAGE, missingDocker } from "./docker.ts";

const FOLDER = join(import.meta.dirname, "../../deploy/compose");
const PATIENCE_MS = 300_000;
const PASSWORD = "of compose tests only";
/** Nothing of it is kept, so nobody waits for an orderly end. */
const DOWN = ["down", "--volumes", "--timeout", "1"];
const isPlugin = (await missing("docker", ["compose", "version"])) === undefined;
const skip =
  (await missingDocker()) ??
  (isPlugin ? undefined : await missing("docker-compose", ["--version"])) ??
  false;

/** Ports of the machine are drawn by docker: other tests may have the usual ones. */
const environment = {
  DOLIUM_IMAGE: IMAGE,
  DOLIUM_ROOT_USER: "composer",
  DOLIUM_ROOT_PASSWORD: PASSWORD,
  DOLIUM_BUCKETS: "composed",
  ...{ DOLIUM_S3_PORT: "0", DOLIUM_S3_PORT_2: "0", DOLIUM_CONSOLE_PORT: "0" },
  ...{ DOLIUM_S3_PORT_NORTH: "0", DOLIUM_S3_PORT_MIDDLE: "0", DOLIUM_S3_PORT_SOUTH: "0" },
};
const folder = mkdtempSync(join(tmpdir(), "dolium-compose-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The first generation of compose knows no name of the project in the file. */
function fileFor(name: string): string {
  const text = readFileSync(join(FOLDER, name), "utf8");
  const file = join(folder, name);
  writeFileSync(file, isPlugin ? text : text.replace(/^name: .*$/m, ""));
  return file;
}

function compose(project: string, file: string, ...args: readonly string[]): Promise<string> {
  const [program, first] = isPlugin ? ["docker", ["compose"]] : ["docker-compose", []];
  const where = ["--project-name", project, "--project-directory", FOLDER, "--file", file];
  return runCommand(program ?? "", [...(first ?? []), ...where, ...args], { environment });
}

async function roundTrip(project: string, file: string, service: string): Promise<void> {
  const container = (await compose(project, file, "ps", "--quiet", service)).trim();
  const endpoint = await eventually(`${service} is ready`, PATIENCE_MS, async () => {
    const at = `http://${await addressOf(container, `${project}_default`)}:9000`;
    return (await fetch(`${at}/minio/health/ready`)).status === 200 ? at : undefined;
  });
  const credentials = { accessKeyId: "composer", secretAccessKey: PASSWORD };
  const client = new S3Client({ endpoint, region: "us-east-1", credentials, forcePathStyle: true });
  try {
    const place = { Bucket: "composed", Key: service };
    const body = "x".repeat(300_000);
    await eventually("a write is taken", PATIENCE_MS, () =>
      client.send(new PutObjectCommand({ ...place, Body: body })),
    );
    const { Body } = await client.send(new GetObjectCommand(place));
    assert.equal(await Body?.transformToString(), body);
  } finally {
    client.destroy();
  }
}

test("one node", { skip }, async () => {
  const project = drawName("single");
  const file = fileFor("single.yaml");
  try {
    await compose(project, file, "up", "--detach", "--no-build");
    await roundTrip(project, file, "dolium");
  } finally {
    await compose(project, file, ...DOWN);
  }
});

test("a cluster, whose storage is scaled while it runs", { skip }, async () => {
  const project = drawName("cluster");
  const file = fileFor("cluster.yaml");
  const up = ["up", "--detach", "--no-build"];
  try {
    await compose(project, file, ...up);
    await roundTrip(project, file, "gateway-1");
    await compose(project, file, ...up, "--no-recreate", "--scale", "storage=7");
    const storage = await compose(project, file, "ps", "--quiet", "storage");
    const names = storage.trim().split("\n");
    assert.equal(names.length, 7);
    await eventually("the seventh has joined", PATIENCE_MS, async () => {
      const addresses = names.map((name) => addressOf(name, `${project}_default`));
      const answers = (await Promise.all(addresses)).map((address) =>
        fetch(`http://${address}:9003/health/ready`),
      );
      return (await Promise.all(answers)).every(({ status }) => status === 200) || undefined;
    });
    await roundTrip(project, file, "gateway-2");
  } finally {
    await compose(project, file, ...DOWN);
  }
});

test("every file is understood", { skip }, async () => {
  for (const name of ["single.yaml", "cluster.yaml", "campuses.yaml"]) {
    await compose("dolium", fileFor(name), "config", "--quiet");
  }
  assert.notEqual(await docker("version", "--format", "{{.Client.Version}}"), "");
});
