// Ansible's S3 modules (amazon.aws, by boto3) with the scheme fakes3:// that its documentation
// shows for stores other than AWS: bucket, put, get, list, delete.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { runCommand } from "../support/run-command.ts";
import { startServer, type TestServer } from "../support/test-server.ts";
import { findClient, findPython, rowTest } from "./row-test.ts";

const ansible = await findClient({ name: "Ansible", program: "ansible", args: ["--version"] });
const boto3 = await findPython("boto3", "boto3", "boto3.__version__");
let server: TestServer;
let folder: string;

before(async () => {
  if (ansible.absent !== undefined || boto3.absent !== undefined) return;
  server = await startServer();
  folder = mkdtempSync(join(tmpdir(), "dolium-ansible-"));
});

after(async () => {
  await server?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** Modules run by the Python that has boto3, as a play on this machine. */
function play(python: string): string {
  const { host } = new URL(server.endpoint);
  const file = join(folder, "file");
  const common = `bucket: ansible, endpoint_url: "fakes3://${host}"`;
  return `
- hosts: localhost
  gather_facts: false
  vars: { ansible_python_interpreter: "${python}" }
  tasks:
    - amazon.aws.s3_object: { ${common}, mode: create }
    - amazon.aws.s3_object: { ${common}, mode: put, object: /a/key, src: "${file}" }
    - amazon.aws.s3_object: { ${common}, mode: get, object: /a/key, dest: "${file}.copy" }
    - amazon.aws.s3_object: { ${common}, mode: list, prefix: a/ }
      register: listed
    - ansible.builtin.assert: { that: "listed.s3_keys == ['a/key']" }
    - amazon.aws.s3_object: { ${common}, mode: delobj, object: /a/key }
    - amazon.aws.s3_object: { ${common}, mode: list }
      register: left
    - ansible.builtin.assert: { that: "left.s3_keys == []" }
    - amazon.aws.s3_object: { ${common}, mode: delete }
`;
}

rowTest([ansible, boto3], ["A20"], "s3_object by fakes3://", async () => {
  const python = (await runCommand("python3", ["-c", "import sys; print(sys.executable)"])).trim();
  writeFileSync(join(folder, "file"), "by Ansible");
  writeFileSync(join(folder, "play.yml"), play(python));
  await runCommand(
    "ansible-playbook",
    ["-i", "localhost,", "-c", "local", join(folder, "play.yml")],
    {
      environment: {
        ANSIBLE_LOCAL_TEMP: join(folder, "local"),
        ANSIBLE_REMOTE_TEMP: join(folder, "remote"),
        ANSIBLE_COLLECTIONS_PATH: "/usr/lib/python3/dist-packages",
        AWS_ACCESS_KEY_ID: server.accessKeyId,
        AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
        AWS_DEFAULT_REGION: server.region,
      },
    },
  );
  assert.equal(readFileSync(join(folder, "file.copy"), "utf8"), "by Ansible");
});
