// Options are parsed by a table: what is not in it, or out of its bounds, is a usage error with a
// sentence.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  command,
  commandHelp,
  findVerb,
  groupHelp,
  parseCommand,
  UsageError,
} from "../../../services/cli/command-line.ts";

const SPEC = command({
  name: "try",
  summary: "Try things.",
  positionals: "",
  options: {
    count: { kind: "number", value: "N", minimum: 1, maximum: 9, help: "how many" },
    name: { kind: "text", value: "TEXT", help: "what for" },
    json: { kind: "flag", help: "print JSON lines" },
  },
  run: async ({ options }) => options.count ?? 0,
});

test("values arrive with their types, absent options stay absent", async () => {
  const parsed = parseCommand(SPEC, ["--count", "3", "--json", "--name=x y"]);
  assert.deepEqual({ ...parsed.options }, { count: 3, json: true, name: "x y" });
  assert.deepEqual({ ...parseCommand(SPEC, []).options }, {});
  assert.equal(await SPEC.run(parsed), 3);
});

for (const [args, says] of [
  [["--count", "0"], /--count wants a whole number from 1 to 9/],
  [["--count", "10"], /from 1 to 9/],
  [["--count", "1e0"], /not "1e0"/],
  [["--count", "0x3"], /not "0x3"/],
  [["--count", ""], /not ""/],
  [["--count"], /dolium try: /],
  [["--unknown"], /dolium try: /],
  [["word"], /takes no argument "word"/],
] as const) {
  test(`refuses ${JSON.stringify(args)}`, () => {
    assert.throws(
      () => parseCommand(SPEC, args),
      (error) => error instanceof UsageError && says.test(error.message),
    );
  });
}

test("the help page names every option", () => {
  const page = commandHelp(SPEC);
  for (const text of ["Usage: dolium try", "--count N", "how many", "--name TEXT", "--json"]) {
    assert.ok(page.includes(text), text);
  }
});

const verb = (name: string) =>
  command({
    name,
    summary: "A verb.",
    positionals: "",
    options: {
      quiet: { kind: "flag", short: "q", help: "say nothing" },
      bucket: { kind: "list", value: "B", help: "a bucket" },
    },
    run: async () => 0,
  });
const GROUP = {
  name: "user",
  summary: "Users.",
  verbs: [verb("user list"), verb("user key create"), verb("user key")],
};

test("the longest verb that fits is meant, and the rest is its own", () => {
  const { verb: found, rest } = findVerb(GROUP, ["key", "create", "alice", "-q"]);
  assert.equal(found.name, "user key create");
  assert.deepEqual(rest, ["alice", "-q"]);
  assert.equal(findVerb(GROUP, ["key", "delete"]).verb.name, "user key");
  assert.throws(() => findVerb(GROUP, ["frobnicate"]), /has no verb "frobnicate"/);
  assert.throws(() => findVerb(GROUP, ["--json"]), /needs a verb/);
  assert.match(groupHelp(GROUP), /key create/);
});

test("options that repeat are lists, and short ones are known", () => {
  const parsed = parseCommand(verb("user list"), ["--bucket", "a", "-q", "--bucket=b,c"]);
  assert.deepEqual({ ...parsed.options }, { quiet: true, bucket: ["a", "b,c"] });
});
