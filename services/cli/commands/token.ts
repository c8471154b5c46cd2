// `dolium token ...`: access tokens, which are shown once. `token create` makes one for a user.
import { record } from "../admin-client/admin-client.ts";
import { adminVerb, table } from "../admin-client/admin-verb.ts";
import { type CommandGroup, YES_OPTION } from "../command-line.ts";
import { confirm } from "../confirm.ts";

const seg = encodeURIComponent;
const ONCE = "The token is not shown again.";
const OFF = "Tokens are switched off on this server: none counts until identity.tokens is true.";

export const tokenGroup: CommandGroup = {
  name: "token",
  summary: "Access tokens: make, list, rotate, revoke.",
  verbs: [
    adminVerb({
      name: "token create",
      summary: "Make an access token for a user; it is shown once.",
      positionals: "USER",
      options: {
        name: { kind: "text", value: "TEXT", help: "what the token is called (cli)" },
        expires: { kind: "text", value: "SPAN", help: "30d, 12h or an RFC 3339 time; else never" },
        bucket: { kind: "list", value: "BUCKET", help: "only for this bucket" },
        network: { kind: "list", value: "CIDR", help: "only from this network" },
        access: { kind: "text", value: "KIND", help: "read, write or read-write (the default)" },
      },
      run: async ({ client, words: [user = ""], options }) => {
        const wish = {
          name: options.name ?? "cli",
          expires: options.expires ?? null,
          buckets: options.bucket,
          networks: options.network,
          access: options.access,
        };
        const value = record(await client.call("POST", `/users/${seg(user)}/tokens`, wish));
        const { features } = record(await client.call("GET", "/session"));
        const off = record(features ?? {}).tokens === false ? [OFF] : [];
        return { value, lines: [String(value.token), ONCE, ...off] };
      },
    }),
    adminVerb({
      name: "token list",
      summary: "List the access tokens of a user.",
      positionals: "USER",
      options: {},
      run: async ({ client, words: [user = ""] }) => {
        const value = record(await client.call("GET", `/users/${seg(user)}/tokens`));
        const items = Array.isArray(value.items) ? value.items.map(record) : [];
        const rows = items.map((token) => [
          token.id,
          token.name,
          token.access,
          token.disabled === true ? "disabled" : "",
          token.expiresAt,
          token.lastUsedAt,
          token.buckets,
        ]);
        const head = ["ID", "NAME", "ACCESS", "STATE", "EXPIRES", "LAST USED", "BUCKETS"];
        return { value, lines: table(head, rows) };
      },
    }),
    adminVerb({
      name: "token rotate",
      summary: "Make a token like this one; this one ends after the overlap.",
      positionals: "USER ID",
      options: { overlap: { kind: "text", value: "SPAN", help: "how long both count (24h)" } },
      run: async ({ client, words: [user = "", id = ""], options }) => {
        const path = `/users/${seg(user)}/tokens/${seg(id)}/rotate`;
        const value = record(await client.call("POST", path, { overlap: options.overlap }));
        return { value, lines: [String(value.token), ONCE] };
      },
    }),
    adminVerb({
      name: "token revoke",
      summary: "Revoke an access token.",
      positionals: "USER ID",
      options: YES_OPTION,
      run: async ({ client, words: [user = "", id = ""], options }) => {
        await confirm({ act: `Revoke the token ${id}`, name: id, yes: options.yes === true });
        await client.call("DELETE", `/users/${seg(user)}/tokens/${seg(id)}`);
        return { value: { revoked: id }, lines: [`revoked ${id}`] };
      },
    }),
  ],
};
