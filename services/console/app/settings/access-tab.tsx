// Who may read a bucket: a switch that opens it to everybody, and the bucket policy itself.
import type { JSX } from "preact";
import { Show, useLoaded } from "../load.tsx";
import { child, deleteSetting, getSetting, parseXml, putSetting } from "../s3.ts";
import { attempt } from "../state.ts";
import { Check } from "../ui.tsx";
import { DocumentEditor } from "./document-editor.tsx";

const SID = "DoliumConsolePublicRead";
const BLOCKS = [
  "BlockPublicAcls",
  "IgnorePublicAcls",
  "BlockPublicPolicy",
  "RestrictPublicBuckets",
] as const;

interface PolicyDocument {
  readonly Version?: string;
  readonly Statement?: unknown;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parsePolicy(text: string | undefined): PolicyDocument {
  const value: unknown = JSON.parse(text ?? "{}");
  if (!isRecord(value)) throw new Error("The policy is no JSON object.");
  return value;
}

function statementsOf(policy: PolicyDocument): readonly unknown[] {
  const { Statement: statement } = policy;
  if (statement === undefined) return [];
  return Array.isArray(statement) ? statement : [statement];
}

function isOurs(statement: unknown): boolean {
  return isRecord(statement) && statement["Sid"] === SID;
}

interface Access {
  readonly policy: string | undefined;
  readonly isPublic: boolean;
  readonly blocks: ReadonlySet<string>;
}

async function load(bucket: string): Promise<Access> {
  const [policy, block] = await Promise.all([
    getSetting(bucket, "policy"),
    getSetting(bucket, "publicAccessBlock"),
  ]);
  const root = block === undefined ? undefined : parseXml(block);
  const blocks = BLOCKS.filter((name) => root !== undefined && child(root, name) === "true");
  const isPublic = statementsOf(parsePolicy(policy)).some(isOurs);
  return { policy, isPublic, blocks: new Set(blocks) };
}

async function setPublic(bucket: string, access: Access, isPublic: boolean): Promise<void> {
  const policy = parsePolicy(access.policy);
  const others = statementsOf(policy).filter((statement) => !isOurs(statement));
  const ours = {
    Sid: SID,
    Effect: "Allow",
    Principal: "*",
    Action: "s3:GetObject",
    Resource: `arn:aws:s3:::${bucket}/*`,
  };
  const statements = isPublic ? [...others, ours] : others;
  const isBlocked =
    access.blocks.has("BlockPublicPolicy") || access.blocks.has("RestrictPublicBuckets");
  if (isPublic && isBlocked) {
    const flags = BLOCKS.map((name) => {
      const stays = access.blocks.has(name) && name.endsWith("Acls");
      return `<${name}>${stays}</${name}>`;
    });
    const text = `<PublicAccessBlockConfiguration>${flags.join("")}</PublicAccessBlockConfiguration>`;
    await putSetting(bucket, "publicAccessBlock", text);
  }
  if (statements.length === 0) {
    await deleteSetting(bucket, "policy");
    return;
  }
  const next = { Version: "2012-10-17", ...policy, Statement: statements };
  await putSetting(bucket, "policy", JSON.stringify(next));
}

export function AccessTab({ bucket }: { readonly bucket: string }): JSX.Element {
  const loaded = useLoaded(() => load(bucket), [bucket]);
  return (
    <Show of={loaded}>
      {(access) => (
        <>
          <section class="card">
            <h2>Public</h2>
            <Check
              label="Everybody may read the objects of this bucket"
              checked={access.isPublic}
              onChange={(checked) =>
                void attempt(
                  () => setPublic(bucket, access, checked),
                  checked ? "The bucket is public" : "The bucket is private",
                ).then(loaded.again)
              }
            />
            <p class="hint">
              The switch writes a statement named {SID} to the bucket policy and takes it out again.
              {access.blocks.size > 0
                ? ` Blocked for this bucket now: ${[...access.blocks].join(", ")}.`
                : ""}
            </p>
          </section>
          <section class="card">
            <h2>Bucket policy</h2>
            <DocumentEditor
              key={access.policy ?? ""}
              label="Policy (JSON)"
              text={access.policy === undefined ? "" : pretty(access.policy)}
              onSave={async (text) => {
                await putSetting(bucket, "policy", text);
                await loaded.again();
              }}
              onDelete={async () => {
                await deleteSetting(bucket, "policy");
                await loaded.again();
              }}
            />
          </section>
        </>
      )}
    </Show>
  );
}

function pretty(text: string): string {
  return JSON.stringify(JSON.parse(text), null, 2);
}
