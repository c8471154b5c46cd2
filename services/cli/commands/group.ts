// `dolium group ...`: groups and their members.
import { adminVerb, table } from "../admin-client/admin-verb.ts";
import { type CommandGroup, YES_OPTION } from "../command-line.ts";
import { confirm } from "../confirm.ts";

const seg = encodeURIComponent;

export const groupGroup: CommandGroup = {
  name: "group",
  summary: "Groups of users: make, list, delete, add and remove members.",
  verbs: [
    adminVerb({
      name: "group create",
      summary: "Make a group.",
      positionals: "NAME",
      options: {},
      run: async ({ client, words: [name = ""] }) => ({
        value: await client.call("POST", "/groups", { name }),
        lines: [`made ${name}`],
      }),
    }),
    adminVerb({
      name: "group list",
      summary: "List groups.",
      positionals: "",
      options: {},
      run: async ({ client }) => {
        const items = await client.list("/groups");
        const rows = items.map((group) => [group.name, group.members, group.attachedPolicies]);
        return { value: { items }, lines: table(["NAME", "MEMBERS", "POLICIES"], rows) };
      },
    }),
    adminVerb({
      name: "group info",
      summary: "Show one group.",
      positionals: "NAME",
      options: {},
      run: async ({ client, words: [name = ""] }) => {
        const value = await client.call("GET", `/groups/${seg(name)}`);
        return { value, lines: JSON.stringify(value, null, 2).split("\n") };
      },
    }),
    adminVerb({
      name: "group delete",
      summary: "Delete a group without members.",
      positionals: "NAME",
      options: YES_OPTION,
      run: async ({ client, words: [name = ""], options }) => {
        await confirm({ act: `Delete the group ${name}`, name, yes: options.yes === true });
        await client.call("DELETE", `/groups/${seg(name)}`);
        return { value: { deleted: name }, lines: [`deleted ${name}`] };
      },
    }),
    adminVerb({
      name: "group add",
      summary: "Make a user a member.",
      positionals: "GROUP USER",
      options: {},
      run: async ({ client, words: [group = "", user = ""] }) => {
        await client.call("PUT", `/groups/${seg(group)}/members/${seg(user)}`);
        return { value: { group, user }, lines: [`${user} is a member of ${group}`] };
      },
    }),
    adminVerb({
      name: "group remove",
      summary: "Take a user out of a group.",
      positionals: "GROUP USER",
      options: {},
      run: async ({ client, words: [group = "", user = ""] }) => {
        await client.call("DELETE", `/groups/${seg(group)}/members/${seg(user)}`);
        return { value: { group, user }, lines: [`${user} is no member of ${group}`] };
      },
    }),
  ],
};
