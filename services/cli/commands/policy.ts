// `dolium policy ...`: managed policies, who has them, and what they come to for a user.
import { type AdminClient, record } from "../admin-client/admin-client.ts";
import { adminVerb, type Shown, table, type VerbCall } from "../admin-client/admin-verb.ts";
import { type CommandGroup, type OptionTable, UsageError, YES_OPTION } from "../command-line.ts";
import { confirm } from "../confirm.ts";
import { ExitCode } from "../exit-code.ts";
import { readDocument } from "./user.ts";

const seg = encodeURIComponent;
const TO = {
  user: { kind: "text", value: "NAME", help: "a user" },
  group: { kind: "text", value: "NAME", help: "a group" },
  role: { kind: "text", value: "NAME", help: "a role" },
} as const satisfies OptionTable;

/** "/users/alice_umich" of --user alice_umich. Throws UsageError unless exactly one is given. */
function holderPath(options: VerbCall<typeof TO>["options"]): string {
  const given = (["user", "group", "role"] as const).flatMap((kind) => {
    const name = options[kind];
    return typeof name === "string" ? [`/${kind}s/${seg(name)}`] : [];
  });
  const [path, extra] = given;
  if (path === undefined || extra !== undefined) {
    throw new UsageError("name one of --user, --group and --role");
  }
  return path;
}

/** What placement policies survive, as the admin API says it. */
async function placementCheck(client: AdminClient, name: string | undefined): Promise<Shown> {
  const query = name === undefined ? "" : `?name=${seg(name)}`;
  const value = record(await client.call("GET", `/cluster/placement${query}`));
  const sentences: unknown = value.sentences;
  return { value, lines: Array.isArray(sentences) ? sentences.map(String) : [] };
}

export const policyGroup: CommandGroup = {
  name: "policy",
  summary: "Policies: make, show, attach, and ask what they come to; what placement survives.",
  verbs: [
    adminVerb({
      name: "policy check",
      summary:
        "Whether a user may do something, and why (exit code 4: he may not); without a user: what each placement policy survives.",
      positionals: "[USER] [ACTION] [ARN]",
      options: {
        placement: { kind: "text", value: "NAME", help: "only this placement policy" },
      },
      run: async ({ client, words: [user = "", action = "", resource = ""], options }) => {
        if (user === "") return placementCheck(client, options.placement);
        if (resource === "" || options.placement !== undefined) {
          throw new UsageError("dolium policy check wants USER ACTION ARN, or --placement NAME");
        }
        const question = { user, action, resource };
        const value = record(await client.call("POST", "/policy/check", question));
        const exitCode = value.allowed === true ? ExitCode.OK : ExitCode.DENIED;
        return { value, lines: [String(value.explanation)], exitCode };
      },
    }),
    adminVerb({
      name: "policy create",
      summary: "Make a managed policy from a file, or replace its document.",
      positionals: "NAME FILE",
      options: { description: { kind: "text", value: "TEXT", help: "what it is for" } },
      run: async ({ client, words: [name = "", file = ""], options }) => {
        const body = { document: readDocument(file), description: options.description };
        const value = await client.call("PUT", `/policies/${seg(name)}`, body);
        return { value, lines: [`put ${name}`] };
      },
    }),
    adminVerb({
      name: "policy list",
      summary: "List managed policies.",
      positionals: "",
      options: {},
      run: async ({ client }) => {
        const items = await client.list("/policies");
        const rows = items.map((policy) => [policy.name, policy.updatedAt, policy.description]);
        return { value: { items }, lines: table(["NAME", "CHANGED", "DESCRIPTION"], rows) };
      },
    }),
    adminVerb({
      name: "policy get",
      summary: "Print the document of a managed policy.",
      positionals: "NAME",
      options: {},
      run: async ({ client, words: [name = ""] }) => {
        const value = record(await client.call("GET", `/policies/${seg(name)}`));
        return { value, lines: JSON.stringify(value.document, null, 2).split("\n") };
      },
    }),
    adminVerb({
      name: "policy delete",
      summary: "Delete a managed policy that is attached to nobody.",
      positionals: "NAME",
      options: YES_OPTION,
      run: async ({ client, words: [name = ""], options }) => {
        await confirm({ act: `Delete the policy ${name}`, name, yes: options.yes === true });
        await client.call("DELETE", `/policies/${seg(name)}`);
        return { value: { deleted: name }, lines: [`deleted ${name}`] };
      },
    }),
    adminVerb({
      name: "policy attach",
      summary: "Attach a managed policy to a user, group or role.",
      positionals: "NAME",
      options: TO,
      run: async ({ client, words: [name = ""], options }) => {
        await client.call("PUT", `${holderPath(options)}/attached/${seg(name)}`);
        return { value: { attached: name }, lines: [`attached ${name}`] };
      },
    }),
    adminVerb({
      name: "policy detach",
      summary: "Detach a managed policy.",
      positionals: "NAME",
      options: TO,
      run: async ({ client, words: [name = ""], options }) => {
        await client.call("DELETE", `${holderPath(options)}/attached/${seg(name)}`);
        return { value: { detached: name }, lines: [`detached ${name}`] };
      },
    }),
    adminVerb({
      name: "policy put",
      summary: "Put a policy of its own into a user, group or role.",
      positionals: "NAME FILE",
      options: TO,
      run: async ({ client, words: [name = "", file = ""], options }) => {
        const body = { document: readDocument(file) };
        await client.call("PUT", `${holderPath(options)}/policies/${seg(name)}`, body);
        return { value: { put: name }, lines: [`put ${name}`] };
      },
    }),
    adminVerb({
      name: "policy validate",
      summary: "Whether a file is a policy.",
      positionals: "FILE",
      options: {},
      run: async ({ client, words: [file = ""] }) => ({
        value: await client.call("POST", "/policy/validate", { document: readDocument(file) }),
        lines: [`${file} is a policy`],
      }),
    }),
  ],
};
