// `dolium repair garbage-status|garbage-freeze|garbage-release`: the cluster-wide stop of
// deletions.
import { record } from "../admin-client/admin-client.ts";
import { adminVerb } from "../admin-client/admin-verb.ts";
import { type Command, YES_OPTION } from "../command-line.ts";
import { confirm } from "../confirm.ts";

function lineOf(value: unknown): string {
  const { frozen, reason, since } = record(value);
  if (frozen !== true) return "garbage and orphans are deleted as they fall due";
  return `garbage and orphans are kept since ${String(since)}: ${String(reason)}`;
}

export const garbageVerbs: readonly Command[] = [
  adminVerb({
    name: "repair garbage-status",
    summary: "Whether garbage and orphans are kept, and why.",
    positionals: "",
    options: {},
    run: async ({ client }) => {
      const value = await client.call("GET", "/garbage");
      return { value, lines: [lineOf(value)] };
    },
  }),
  adminVerb({
    name: "repair garbage-freeze",
    summary: "Keep garbage and orphans on the disks from now on.",
    positionals: "REASON",
    options: {},
    run: async ({ client, words: [reason = ""] }) => {
      const value = await client.call("POST", "/garbage/freeze", { reason });
      return { value, lines: [lineOf(value)] };
    },
  }),
  adminVerb({
    name: "repair garbage-release",
    summary: "Let keepers delete garbage and orphans again.",
    positionals: "",
    options: YES_OPTION,
    run: async ({ client, options }) => {
      const act = "Shards that nothing names will be deleted";
      await confirm({ act, name: "release", yes: options.yes === true });
      const value = await client.call("POST", "/garbage/release");
      return { value, lines: [lineOf(value)] };
    },
  }),
];
