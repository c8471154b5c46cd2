// Temporary credentials and access tokens through the AWS command line and boto3, against one
// gateway over the real directory: who am I, a session, a role, a presigned URL of each; a secret
// that says nothing beside a token.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { IdentityGateway, type Keys } from "../s3/identity-gateway.ts";
import { missing, runCommand } from "../support/run-command.ts";
import { AwsCommands } from "./aws-commands.ts";

const commands = await AwsCommands.start();
const noAws = commands.client.absent ?? false;
const noBoto3 = (await missing("python3", ["-c", "import boto3"])) ?? false;
const BUCKET = "sessions-of-alice";

let here: IdentityGateway;
let alice: Keys;
let folder: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "dolium-sts-"));
  here = await IdentityGateway.start({ identity: { tokens: true } });
  alice = await here.createUser("alice_umich");
  await here.caller(alice).call({ method: "PUT", target: `/${BUCKET}` });
  await here.caller(alice).put(BUCKET, "letter.txt", "dear bob");
  await here.services.editor.createRole({
    ...{ name: "reader", createdMs: 1n },
    trustPolicy: JSON.stringify({
      Version: "2012-10-17",
      Statement: {
        ...{ Effect: "Allow", Action: "sts:AssumeRole" },
        Principal: { AWS: "arn:aws:iam:::user/alice_umich" },
      },
    }),
    policies: [
      {
        name: "read",
        document: JSON.stringify({
          Version: "2012-10-17",
          Statement: { Effect: "Allow", Action: ["s3:GetObject", "s3:ListBucket"], Resource: "*" },
        }),
      },
    ],
  });
});
after(async () => {
  await commands.stop();
  await here?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function environmentOf(keys: Keys & { readonly sessionToken?: string }): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: keys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
    ...(keys.sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: keys.sessionToken }),
    AWS_ENDPOINT_URL: here.endpoint,
    AWS_DEFAULT_REGION: "us-east-1",
    AWS_CONFIG_FILE: join(folder, "no-config"),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, "no-credentials"),
    BOTO_DISABLE_CRT: "true",
  };
}

async function aws(
  keys: Keys & { readonly sessionToken?: string },
  ...args: readonly string[]
): Promise<string> {
  return commands.run(args, environmentOf(keys));
}

interface Made {
  readonly Credentials: {
    readonly AccessKeyId: string;
    readonly SecretAccessKey: string;
    readonly SessionToken: string;
  };
}

function sessionOf(printed: string): Keys & { readonly sessionToken: string } {
  // Checked boundary: what is missing fails in the next call.
  const { Credentials } = JSON.parse(printed) as Made;
  return {
    accessKeyId: Credentials.AccessKeyId,
    secretAccessKey: Credentials.SecretAccessKey,
    sessionToken: Credentials.SessionToken,
  };
}

test("the AWS command line: who am I, a session, a role", { skip: noAws }, async () => {
  const who = await aws(alice, "sts", "get-caller-identity", "--output", "json");
  assert.match(who, /arn:aws:iam:::user\/alice_umich/);
  const letter = `s3://${BUCKET}/letter.txt`;
  const own = sessionOf(await aws(alice, "sts", "get-session-token", "--output", "json"));
  assert.equal(await aws(own, "s3", "cp", letter, "-"), "dear bob");
  const url = (await aws(own, "s3", "presign", letter)).trim();
  assert.equal(await (await fetch(url)).text(), "dear bob");
  const role = ["--role-arn", "arn:aws:iam:::role/reader", "--role-session-name", "backup"];
  const assumed = sessionOf(await aws(alice, "sts", "assume-role", ...role, "--output", "json"));
  assert.equal(await aws(assumed, "s3", "cp", letter, "-"), "dear bob");
  assert.match(await aws(assumed, "s3", "ls", `s3://${BUCKET}`), /letter\.txt/);
  await assert.rejects(aws(assumed, "s3", "rm", letter), /AccessDenied/);
});

test("the AWS command line with an access token", { skip: noAws }, async () => {
  const accessKeyId = await here.createToken("alice_umich");
  const token = { accessKeyId, secretAccessKey: "dummy" };
  assert.match(await aws(token, "s3", "ls"), new RegExp(BUCKET));
  const path = join(folder, "body");
  writeFileSync(path, Buffer.alloc(9 * 1024 * 1024, "x"));
  await aws(token, "s3", "cp", path, `s3://${BUCKET}/large`, "--no-progress");
  const head = await aws(token, "s3api", "head-object", "--bucket", BUCKET, "--key", "large");
  assert.match(head, /9437184/);
});

const CHECK = `
import boto3, urllib.request, sys
sts = boto3.client("sts")
assert sts.get_caller_identity()["UserId"] == "alice_umich"
made = sts.get_session_token(DurationSeconds=900)["Credentials"]
keys = dict(aws_access_key_id=made["AccessKeyId"], aws_secret_access_key=made["SecretAccessKey"],
            aws_session_token=made["SessionToken"])
token = dict(aws_access_key_id=sys.argv[1])
for secret in [None, "", "dummy"]:
    how = keys if secret is None else dict(token, aws_secret_access_key=secret)
    s3 = boto3.client("s3", **how)
    s3.put_object(Bucket=sys.argv[2], Key="by-boto3", Body=b"text")
    assert s3.get_object(Bucket=sys.argv[2], Key="by-boto3")["Body"].read() == b"text"
    where = dict(Bucket=sys.argv[2], Key="by-boto3")
    url = s3.generate_presigned_url("get_object", Params=where, ExpiresIn=600)
    assert urllib.request.urlopen(url).read() == b"text"
    form = s3.generate_presigned_post(sys.argv[2], "form", ExpiresIn=600)
    assert form["url"].endswith(sys.argv[2])
try:
    boto3.client("sts", **keys).get_session_token()
    raise SystemExit("a session made a session")
except Exception as error:
    assert "AccessDenied" in str(error), error
print("ok all")
`;

test("boto3: a session, a token with no secret and with a dummy", { skip: noBoto3 }, async () => {
  const token = await here.createToken("alice_umich");
  const args = ["-W", "ignore", "-c", CHECK, token, BUCKET];
  const printed = await runCommand("python3", args, { environment: environmentOf(alice) });
  assert.match(printed, /ok all/);
});
