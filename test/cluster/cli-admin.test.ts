// The admin verbs and the AWS command line against a real `dolium server`, found by nothing but its
// data directory: exit codes, JSON also for errors, users who count at once, watching requests.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { readPlan } from "../../services/cli/dev/cluster-file.ts";
import {
  type Ended,
  jsonOfDolium,
  type Place,
  runDolium,
  startDolium,
} from "../support/dolium-command.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { missing, runCommand } from "../support/run-command.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";

const skip = (await missing("aws", ["--version"])) ?? false;

let cluster: LocalCluster;
let folder: TemporaryFolder;

before(async () => {
  folder = temporaryFolder("dolium-cli-admin-");
  const data = join(folder.path, "data");
  const environment = { DOLIUM_ADMIN__ADDRESS: "127.0.0.1:0" };
  cluster = await LocalCluster.start({ args: ["server", data], dataDir: data, environment });
});

after(async () => {
  await cluster?.stop();
  folder?.remove();
});

function place(environment: Readonly<Record<string, string>>): Place {
  return { folder: folder.path, environment: { DOLIUM_DATA: cluster.dataDir, ...environment } };
}

function dolium(args: readonly string[], environment = {}): Promise<Ended> {
  return runDolium(args, place(environment));
}

/** The JSON that a verb prints, which must end with 0. */
function jsonOf(
  args: readonly string[],
  environment = {},
): Promise<Readonly<Record<string, unknown>>> {
  return jsonOfDolium(args, place(environment));
}

test("a user that the command made uses S3 and manages himself", async () => {
  const made = await jsonOf(["user", "create", "alice_umich", "--display-name", "Alice"]);
  const own = {
    AWS_ACCESS_KEY_ID: String(made.accessKeyId),
    AWS_SECRET_ACCESS_KEY: String(made.secretAccessKey),
  };
  const bucket = await dolium(["mb", "s3://alice-data"], own);
  assert.equal(bucket.code, 0, bucket.stderr);
  const me = await jsonOf(["user", "info", "alice_umich"], own);
  assert.equal(me.name, "alice_umich");
  const other = await dolium(["user", "create", "bob_wayne", "--json"], own);
  assert.equal(other.code, 4);
  assert.equal(JSON.parse(other.stdout).code, "AccessDenied");
  const list = await jsonOf(["bucket", "list"]);
  assert.ok(JSON.stringify(list).includes("alice-data"));
  const quota = await jsonOf(["bucket", "quota", "alice-data", "--bytes", "1000"]);
  assert.deepEqual(quota, { bytes: 1000, objects: 0 });
});

test("one command registers keys and a certificate, another says where a bucket lives", async () => {
  const pem = join(folder.path, "carol.pem");
  const key = join(folder.path, "carol.key");
  const subject = ["-subj", "/CN=carol"];
  const made = ["req", "-x509", "-nodes", "-days", "365", "-newkey", "rsa:2048", ...subject];
  await runCommand("openssl", [...made, "-keyout", key, "-out", pem]);
  const keys = ["--access-key", "CAROLSKEY", "--secret-key", "a secret of her own"];
  const carol = await jsonOf(["user", "create", "carol_msu", ...keys, "--certificate", pem]);
  assert.equal(carol.accessKeyId, "CAROLSKEY");
  const { certificates } = await jsonOf(["user", "info", "carol_msu"]);
  assert.ok(Array.isArray(certificates));
  assert.deepEqual(
    certificates.map(({ subject: name }: { readonly subject: string }) => name),
    ["CN=carol"],
  );
  const none = await dolium(["user", "create", "dave_msu", "--certificate", `${pem}.not`]);
  assert.equal(none.code, 2);
  assert.equal((await dolium(["user", "info", "dave_msu"])).code, 3);
  const own = { AWS_ACCESS_KEY_ID: "CAROLSKEY", AWS_SECRET_ACCESS_KEY: "a secret of her own" };
  assert.equal((await dolium(["mb", "s3://carol-data"], own)).code, 0);
  const place = await jsonOf(["bucket", "info", "carol-data"], own);
  assert.deepEqual(
    [place.owner, place.policy, place.campuses, place.shards],
    ["carol_msu", "standard", ["main"], 1],
  );
});

test("exit codes tell what went wrong, and errors are JSON where it is asked for", async () => {
  const missingUser = await dolium(["user", "info", "nobody_x", "--json"]);
  assert.equal(missingUser.code, 3);
  assert.deepEqual(Object.keys(JSON.parse(missingUser.stdout)), ["event", "code", "message"]);
  assert.match(missingUser.stderr, /nobody_x/);
  assert.equal((await dolium(["user", "frobnicate"])).code, 2);
  assert.equal((await dolium(["user", "info"])).code, 2);
  assert.equal((await dolium(["user", "info", "a", "b"])).code, 2);
  assert.equal((await dolium(["user", "delete", "alice_umich"])).code, 2, "nobody can be asked");
  const wrongKeys = {
    AWS_ACCESS_KEY_ID: "NOBODYSKEY0000000001",
    AWS_SECRET_ACCESS_KEY: "x".repeat(20),
  };
  assert.equal((await dolium(["user", "list"], wrongKeys)).code, 4);
  const nowhere = { DOLIUM_ADMIN_URL: "http://127.0.0.1:1" };
  assert.equal((await dolium(["user", "list"], nowhere)).code, 5);
  const quiet = await dolium(["user", "list", "-q"]);
  assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [0, "", ""]);
});

test("tokens, groups and policies, and what they come to", async () => {
  const file = join(folder.path, "read.json");
  const policy = {
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::shared/*" }],
  };
  writeFileSync(file, JSON.stringify(policy));
  await jsonOf(["user", "create", "reader_umich"]);
  await jsonOf(["policy", "create", "reading", file]);
  await jsonOf(["group", "create", "readers"]);
  await jsonOf(["group", "add", "readers", "reader_umich"]);
  await jsonOf(["policy", "attach", "reading", "--group", "readers"]);
  const arn = "arn:aws:s3:::shared/report";
  const may = await jsonOf(["policy", "check", "reader_umich", "s3:GetObject", arn]);
  assert.equal(may.allowed, true);
  const mayNot = await dolium(["policy", "check", "reader_umich", "s3:PutObject", arn]);
  assert.equal(mayNot.code, 4);
  assert.match(mayNot.stdout, /^Denied: /);
  const token = await jsonOf(["token", "create", "reader_umich", "--expires", "30d"]);
  assert.match(String(token.token), /^DT[0-9a-f]{16}[A-Z2-7]{32}$/);
  const listed = await jsonOf(["token", "list", "reader_umich"]);
  assert.equal(JSON.stringify(listed).includes(String(token.token)), false);
  await jsonOf(["token", "revoke", "reader_umich", String(token.id), "--yes"]);
  await jsonOf(["user", "delete", "reader_umich", "--yes"]);
});

test("the cluster by the admin API: nodes, raft, scrub, doctor, layout, bundle", async () => {
  const nodes = await jsonOf(["node", "list"]);
  assert.ok(JSON.stringify(nodes).includes("storage-1"));
  for (const args of [["raft", "status"], ["scrub", "status"], ["repair", "status"], ["events"]]) {
    await jsonOf(args);
  }
  const doctor = await dolium(["doctor", "--json"]);
  assert.ok(doctor.code === 0 || doctor.code === 1, doctor.stderr);
  assert.ok(JSON.parse(doctor.stdout).checks.length > 5);
  const plan = await jsonOf(["layout", "plan", "--change", "storage-1=draining"]);
  assert.ok(JSON.stringify(plan.problems).includes("no disk"), "the only node cannot go");
  const apply = ["layout", "apply", "--change", "storage-1=draining", "--yes"];
  assert.equal((await dolium(apply)).code, 1);
  assert.equal((await dolium(["node", "remove", "storage-1", "--yes"])).code, 1, "it is up");
  assert.equal((await dolium(["node", "drain", "storage-9", "--yes"])).code, 3);
  assert.equal((await jsonOf(["node", "retry-disk", "1"])).done, "retry");
  assert.equal((await dolium(["node", "retry-disk", "99"])).code, 3);
  const already = await jsonOf(["raft", "transfer", "1", "metadata-1"]);
  assert.equal(already.leader, "metadata-1");
  assert.equal((await dolium(["raft", "transfer", "1", "metadata-9"])).code, 3);
  assert.equal((await dolium(["raft", "transfer", "77", "metadata-1"])).code, 3);
  const cut = await jsonOf(["raft", "snapshot", "1"]);
  assert.ok(Number(cut.index) > 1 && Array.isArray(cut.replicas));
  const [{ logStartIndex, freedBytes }] = cut.replicas;
  assert.equal(logStartIndex, cut.index, "the only replica needs nothing of its log");
  assert.ok(freedBytes > 0);
  const every = await dolium(["raft", "snapshot"]);
  assert.match(every.stdout, /BYTES FREED\n1 .*\n2 /s);
  assert.equal((await dolium(["raft", "snapshot", "77"])).code, 3);
  assert.equal((await jsonOf(["repair", "start"])).pass, 1);
  assert.equal((await jsonOf(["scrub", "start"])).pass, 1);
  const bundle = await dolium(["support", "bundle", "-"]);
  assert.equal(bundle.code, 0, bundle.stderr);
  assert.equal(bundle.stdout.includes(cluster.ready.secretAccessKey), false);
  assert.ok(bundle.stdout.split("\n").length > 5);
  const seconds = await dolium(["top", "--count", "1", "--json"]);
  assert.equal(JSON.parse(seconds.stdout).event, "second");
});

test("the status of a cluster elsewhere, by its admin API, once and again", async () => {
  const adminUrl = readPlan(cluster.dataDir)?.adminUrl ?? "";
  const { accessKeyId, secretAccessKey } = cluster.ready;
  const environment = {
    DOLIUM_DATA: join(folder.path, "nothing"),
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  };
  assert.equal((await dolium(["status"], environment)).code, 2, "neither data nor address");
  const here = await jsonOf(["status"]);
  const there = await jsonOf(["status", "--admin-url", adminUrl], environment);
  assert.deepEqual(
    [there.policies, there.clusterId, there.healthy],
    [here.policies, here.clusterId, here.healthy],
  );
  const text = await dolium(["status", "--admin-url", adminUrl], environment);
  assert.match(text.stdout, /^healthy: /);
  const { child: watching, ended } = startDolium(["status", "--watch", "--json"], place({}));
  let lines = 0;
  watching.stdout?.on("data", (bytes: Buffer) => {
    lines += bytes.toString().split("\n").length - 1;
    if (lines === 2) watching.kill("SIGINT");
  });
  const { code } = await ended;
  assert.equal(code, 0);
  assert.ok(lines >= 2);
});

test("the only process must stay, as MinIO's health path tells", async () => {
  const [endpoint = ""] = cluster.endpoints;
  const path = `${endpoint}/minio/health/cluster`;
  assert.equal((await fetch(path)).status, 200);
  assert.equal((await fetch(`${path}?maintenance=true`)).status, 412);
});

test("settings are checked before anything starts", async () => {
  const schema = JSON.parse((await dolium(["config", "schema"])).stdout);
  assert.equal(schema.type, "object");
  assert.ok("keeper" in schema.properties);
  const good = join(folder.path, "good.json");
  writeFileSync(good, JSON.stringify({ log: { level: "debug" } }));
  assert.deepEqual(await jsonOf(["config", "check", "--config", good]), {
    event: "config",
    ok: true,
  });
  const bad = join(folder.path, "bad.json");
  writeFileSync(bad, JSON.stringify({ log: { level: "loud" }, keper: {} }));
  const refused = await dolium(["config", "check", "--config", bad]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /log\.level/);
  assert.match(refused.stderr, /keper/);
});

test("requests are traced as they end", async () => {
  const trace = dolium(["trace", "--count", "1", "--filter", "ListBuckets", "--json"]);
  let isDone = false;
  const ended = trace.finally(() => {
    isDone = true;
  });
  // Whoever watches misses what ended before: asked until it was seen.
  while (!isDone) await dolium(["ls"]);
  const { code, stdout, stderr } = await ended;
  assert.equal(code, 0, stderr);
  const request = JSON.parse(stdout);
  assert.equal(request.operation, "ListBuckets");
  assert.equal(request.user, "root");
});

test("aws iam makes users, keys and policies, and aws sts says who asks", { skip }, async () => {
  const url = readPlan(cluster.dataDir)?.adminUrl ?? "";
  const { accessKeyId, secretAccessKey } = cluster.ready;
  const aws = (...args: string[]): Promise<string> =>
    runCommand("aws", ["--endpoint-url", url, ...args], {
      environment: {
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
        AWS_DEFAULT_REGION: "us-east-1",
        AWS_DEFAULT_OUTPUT: "json",
        AWS_CONFIG_FILE: join(folder.path, "no-config"),
        AWS_SHARED_CREDENTIALS_FILE: join(folder.path, "no-credentials"),
      },
    });
  const made = JSON.parse(await aws("iam", "create-user", "--user-name", "aws_umich"));
  assert.equal(made.User.UserName, "aws_umich");
  const key = JSON.parse(await aws("iam", "create-access-key", "--user-name", "aws_umich"));
  const own = {
    AWS_ACCESS_KEY_ID: key.AccessKey.AccessKeyId,
    AWS_SECRET_ACCESS_KEY: key.AccessKey.SecretAccessKey,
  };
  assert.equal((await dolium(["mb", "s3://aws-made"], own)).code, 0);
  const users = JSON.parse(await aws("iam", "list-users"));
  assert.ok(users.Users.some((user: { UserName: string }) => user.UserName === "aws_umich"));
  const who = JSON.parse(await aws("sts", "get-caller-identity"));
  assert.match(who.Arn, /^arn:aws:/);
  await assert.rejects(aws("iam", "get-user", "--user-name", "nobody_x"), /NoSuchEntity/);
  const nothing = JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Deny", Action: "*", Resource: "*" }],
  });
  const naming = ["--policy-name", "nothing", "--policy-document", nothing];
  const { Policy } = JSON.parse(await aws("iam", "create-policy", ...naming));
  const user = ["--user-name", "aws_umich"];
  const bound = ["--permissions-boundary", Policy.Arn];
  await aws("iam", "put-user-permissions-boundary", ...user, ...bound);
  const { User } = JSON.parse(await aws("iam", "get-user", ...user));
  assert.equal(User.PermissionsBoundary.PermissionsBoundaryArn, Policy.Arn);
  assert.equal((await dolium(["ls"], own)).code, 4, "beyond the bound");
  await aws("iam", "delete-user-permissions-boundary", ...user);
  assert.equal((await dolium(["ls"], own)).code, 0);
});

test("completion scripts know every verb", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, stdout } = await dolium(["completion", shell]);
    assert.equal(code, 0);
    for (const word of ["token", "rotate", "layout", "sync"])
      assert.ok(stdout.includes(word), word);
  }
  assert.equal((await dolium(["completion", "tcsh"])).code, 2);
});
