// `dolium raft ...`: leaders, replicas and logs of the groups, through the admin API.
import { type AdminClient, record, recordsOf } from "../admin-client/admin-client.ts";
import { adminVerb, table } from "../admin-client/admin-verb.ts";
import type { CommandGroup } from "../command-line.ts";

const seg = encodeURIComponent;

export const raftGroup: CommandGroup = {
  name: "raft",
  summary: "Raft groups: leaders, replicas, transfer of the lead, snapshots.",
  verbs: [
    adminVerb({
      name: "raft status",
      summary: "Groups with their leaders and replicas.",
      positionals: "",
      options: {},
      run: async ({ client }) => {
        const value = await client.call("GET", "/raft");
        const rows = recordsOf(value).map((group) => {
          const replicas = Array.isArray(group.replicas) ? group.replicas.map(record) : [];
          const shown = replicas.map((one) => `${String(one.name)}@${String(one.appliedIndex)}`);
          return [group.groupId, group.leader, group.term, group.commitIndex, shown];
        });
        return { value, lines: table(["GROUP", "LEADER", "TERM", "COMMIT", "REPLICAS"], rows) };
      },
    }),
    adminVerb({
      name: "raft transfer",
      summary: "Hand the lead of a group to another replica.",
      positionals: "GROUP REPLICA",
      options: {},
      run: async ({ client, words: [group = "", to = ""] }) => ({
        value: await client.call("POST", `/raft/${seg(group)}/transfer`, { to }),
        lines: ["handed over"],
      }),
    }),
    adminVerb({
      name: "raft snapshot",
      summary: "Write the state of a group's replicas to disk now and cut their logs; every group.",
      positionals: "[GROUP]",
      options: {},
      run: async ({ client, words: [group = ""] }) => {
        const groups = group === "" ? await groupIds(client) : [group];
        const items: Readonly<Record<string, unknown>>[] = [];
        for (const id of groups) {
          items.push(record(await client.callLong("POST", `/raft/${seg(id)}/snapshot`)));
        }
        return { value: group === "" ? { items } : items[0], lines: snapshotLines(items) };
      },
    }),
  ],
};

async function groupIds(client: AdminClient): Promise<string[]> {
  return recordsOf(await client.call("GET", "/raft")).map(({ groupId }) => String(groupId));
}

function snapshotLines(items: readonly Readonly<Record<string, unknown>>[]): string[] {
  const rows = items.flatMap(({ groupId, replicas }) =>
    (Array.isArray(replicas) ? replicas.map(record) : []).map((one) =>
      one.error === undefined
        ? [groupId, one.name, one.flushedIndex, one.logStartIndex, one.freedEntries, one.freedBytes]
        : [groupId, one.name, `failed: ${String(one.error)}`],
    ),
  );
  return table(["GROUP", "REPLICA", "ON DISK", "LOG AFTER", "ENTRIES FREED", "BYTES FREED"], rows);
}
