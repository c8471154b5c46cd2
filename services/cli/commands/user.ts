// `dolium user ...`: users, their keys and certificates.
import { readFileSync } from "node:fs";
import { type AdminClient, record } from "../admin-client/admin-client.ts";
import { adminVerb, type Shown, table } from "../admin-client/admin-verb.ts";
import { type CommandGroup, UsageError, YES_OPTION } from "../command-line.ts";
import { confirm } from "../confirm.ts";

const seg = encodeURIComponent;
const text = (value: string, help: string) => ({ kind: "text", value, help }) as const;

export function readText(path: string): string {
  try {
    return readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (cause) {
    throw new UsageError(`${path} cannot be read: ${String(cause)}`, { cause });
  }
}

/** A policy document out of a file, "-" for stdin. */
export function readDocument(path: string): unknown {
  try {
    const document: unknown = JSON.parse(readText(path));
    return document;
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(`${path} is not JSON: ${String(cause)}`, { cause });
  }
}

function keyLines(made: Readonly<Record<string, unknown>>): string[] {
  return [
    `access key: ${String(made.accessKeyId)}`,
    `secret key: ${String(made.secretAccessKey)}`,
    "The secret is not shown again.",
  ];
}

async function registered(
  client: AdminClient,
  name: string,
  pem: string,
): Promise<Readonly<Record<string, unknown>>> {
  return record(await client.call("POST", `/users/${seg(name)}/certificates`, { pem }));
}

function setDisabled(client: AdminClient, name: string, disabled: boolean): Promise<unknown> {
  return client.call("PATCH", `/users/${seg(name)}`, { disabled });
}

export const userGroup: CommandGroup = {
  name: "user",
  summary: "Users: make, list, change, delete; their keys and certificates.",
  verbs: [
    adminVerb({
      name: "user create",
      summary: "Make a user with an access key.",
      positionals: "NAME",
      options: {
        "access-key": text("ID", "access key id; made when left out"),
        "secret-key": text("SECRET", "secret; made when left out"),
        "display-name": text("TEXT", "how the user is shown"),
        email: text("ADDRESS", "e-mail address"),
        policy: text("FILE", "a policy of the user, JSON; - for stdin"),
        certificate: text("FILE", "register a client certificate (PEM) as well"),
        attach: { kind: "list", value: "POLICY", help: "attach a managed policy" },
        group: { kind: "list", value: "GROUP", help: "make a member" },
        parent: text("USER", "a service account that acts in the name of this user"),
        administrator: { kind: "flag", help: "may do everything" },
        "no-key": { kind: "flag", help: "make no access key" },
      },
      run: async ({ client, words: [name = ""], options }) => {
        const { group, attach, policy, certificate } = options;
        // Read first: a file that is not there leaves no user behind.
        const pem = certificate === undefined ? undefined : readText(certificate);
        const wish = {
          name,
          accessKeyId: options["access-key"],
          secretAccessKey: options["secret-key"],
          displayName: options["display-name"],
          email: options.email,
          parent: options.parent,
          administrator: options.administrator,
          withoutKey: options["no-key"],
          groups: group,
          attachedPolicies: attach,
          policy: policy === undefined ? undefined : readDocument(policy),
        };
        const made = record(await client.call("POST", "/users", wish));
        const lines = made.accessKeyId === undefined ? [] : keyLines(made);
        if (pem === undefined) return { value: made, lines: [`made ${name}`, ...lines] };
        const certificates = [await registered(client, name, pem)];
        return { value: { ...made, certificates }, lines: [`made ${name}`, ...lines] };
      },
    }),
    adminVerb({
      name: "user list",
      summary: "List users.",
      positionals: "",
      options: {},
      run: async ({ client }) => {
        const items = await client.list("/users");
        const rows = items.map((user) => [
          user.name,
          user.administrator === true ? "administrator" : "",
          user.disabled === true ? "disabled" : "",
          user.groups,
          user.displayName,
        ]);
        return {
          value: { items },
          lines: table(["NAME", "ROLE", "STATE", "GROUPS", "SHOWN AS"], rows),
        };
      },
    }),
    adminVerb({
      name: "user info",
      summary: "Show one user.",
      positionals: "NAME",
      options: {},
      run: async ({ client, words: [name = ""] }) => {
        const value = await client.call("GET", `/users/${seg(name)}`);
        return { value, lines: JSON.stringify(value, null, 2).split("\n") };
      },
    }),
    adminVerb({
      name: "user disable",
      summary: "Switch a user off: no key, token or session of it counts.",
      positionals: "NAME",
      options: {},
      run: async ({ client, words: [name = ""] }) => ({
        value: await setDisabled(client, name, true),
        lines: [`${name} is disabled`],
      }),
    }),
    adminVerb({
      name: "user enable",
      summary: "Switch a user on again.",
      positionals: "NAME",
      options: {},
      run: async ({ client, words: [name = ""] }) => ({
        value: await setDisabled(client, name, false),
        lines: [`${name} is enabled`],
      }),
    }),
    adminVerb({
      name: "user delete",
      summary: "Delete a user who owns no bucket.",
      positionals: "NAME",
      options: YES_OPTION,
      run: async ({ client, words: [name = ""], options }) => {
        await confirm({ act: `Delete the user ${name}`, name, yes: options.yes === true });
        await client.call("DELETE", `/users/${seg(name)}`);
        return { value: { deleted: name }, lines: [`deleted ${name}`] };
      },
    }),
    adminVerb({
      name: "user revoke-sessions",
      summary: "End temporary credentials and console sessions of a user.",
      positionals: "NAME",
      options: {},
      run: async ({ client, words: [name = ""] }) => {
        await client.call("POST", `/users/${seg(name)}/sessions/revoke`);
        return { value: { revoked: name }, lines: [`sessions of ${name} have ended`] };
      },
    }),
    adminVerb({
      name: "user limits",
      summary: "Set limits of a user; 0 takes a limit away.",
      positionals: "NAME",
      options: {
        "bytes-max": limit("bytes in all buckets"),
        "objects-max": limit("objects in all buckets"),
        "buckets-max": limit("buckets"),
        "requests-per-second": limit("requests a second at each gateway"),
        "upload-bytes-per-second": limit("at each gateway"),
        "download-bytes-per-second": limit("at each gateway"),
      },
      run: async ({ client, words: [name = ""], options }) => {
        const limits = {
          bytesMax: options["bytes-max"],
          objectsMax: options["objects-max"],
          bucketsMax: options["buckets-max"],
          requestsPerSecond: options["requests-per-second"],
          uploadBytesPerSecond: options["upload-bytes-per-second"],
          downloadBytesPerSecond: options["download-bytes-per-second"],
        };
        const value = record(await client.call("PATCH", `/users/${seg(name)}`, { limits }));
        return { value, lines: [JSON.stringify(value.limits)] };
      },
    }),
    adminVerb({
      name: "user key create",
      summary: "Make an access key; its secret is shown once.",
      positionals: "NAME",
      options: {
        "access-key": text("ID", "access key id; made when left out"),
        "secret-key": text("SECRET", "secret; made when left out"),
        description: text("TEXT", "what it is for"),
        expires: text("SPAN", "30d, 12h or an RFC 3339 time"),
      },
      run: async ({ client, words: [name = ""], options }) => {
        const wish = {
          accessKeyId: options["access-key"],
          secretAccessKey: options["secret-key"],
          description: options.description,
          expires: options.expires,
        };
        const made = record(await client.call("POST", `/users/${seg(name)}/keys`, wish));
        return { value: made, lines: keyLines(made) };
      },
    }),
    adminVerb({
      name: "user key delete",
      summary: "Delete an access key.",
      positionals: "NAME ID",
      options: YES_OPTION,
      run: async ({ client, words: [name = "", id = ""], options }) => {
        await confirm({ act: `Delete the access key ${id}`, name: id, yes: options.yes === true });
        await client.call("DELETE", `/users/${seg(name)}/keys/${seg(id)}`);
        return { value: { deleted: id }, lines: [`deleted ${id}`] };
      },
    }),
    adminVerb({
      name: "user certificate add",
      summary: "Register a client certificate (PEM).",
      positionals: "NAME FILE",
      options: {},
      run: async ({ client, words: [name = "", file = ""] }) => {
        const value = await registered(client, name, readText(file));
        return { value, lines: [`registered ${String(value.fingerprint)}`] };
      },
    }),
    adminVerb({
      name: "user certificate delete",
      summary: "Forget a client certificate.",
      positionals: "NAME FINGERPRINT",
      options: {},
      run: async ({ client, words: [name = "", print = ""] }): Promise<Shown> => {
        await client.call("DELETE", `/users/${seg(name)}/certificates/${seg(print)}`);
        return { value: { deleted: print }, lines: [`forgot ${print}`] };
      },
    }),
  ],
};

function limit(help: string) {
  return { kind: "number", value: "N", minimum: 0, maximum: 999_999_999_999_999, help } as const;
}
