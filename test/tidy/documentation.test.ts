// What the pages say is there: every relative link leads to a file (and heading), every `dolium`
// command line is one that the command table takes, every DOLIUM_ variable is a setting.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import {
  type Command,
  type CommandGroup,
  findVerb,
  parseCommand,
  UsageError,
} from "../../services/cli/command-line.ts";
import { COMMAND_TABLE, isGroup } from "../../services/cli/command-table.ts";
import { ConfigSchema } from "../../services/cli/config-schema.ts";
import { settingRows } from "../../services/cli/reference/configuration-page.ts";
import {
  anchors,
  type CommandLine,
  commandLines,
  linkTargets,
  makeTargets,
  markdownPages,
  type Page,
  shellCommands,
} from "./documents.ts";
import { ROOT } from "./tree.ts";

function linkProblem(page: Page, target: string): string | undefined {
  if (/^(https?|mailto):/.test(target)) return undefined;
  const [file = "", anchor] = target.split("#");
  const path = file === "" ? page.path : normalize(join(dirname(page.path), decodeURI(file)));
  const wrong = `${page.path}: ${target}`;
  if (path.startsWith("..") || file.startsWith("/")) return `${wrong} leads out of the repository`;
  if (!existsSync(join(ROOT, path))) return `${wrong} is not there`;
  if (anchor === undefined || !path.endsWith(".md")) return undefined;
  const there = anchors(readFileSync(join(ROOT, path), "utf8")).has(anchor);
  return there ? undefined : `${wrong} has no such heading`;
}

/** What is wrong with a command line of a page; undefined when the table takes it. */
async function commandProblem({ words, isInline }: CommandLine): Promise<string | undefined> {
  const [name = "", ...rest] = words.map((word) => word.replace(/^\[|\]$/g, ""));
  if (name === "" || name === "..." || /^[A-Z]+$/.test(name)) return undefined;
  if (["--help", "--version", "help", "version"].includes(name)) return undefined;
  const row = COMMAND_TABLE.find((candidate) => candidate.name === name);
  if (row === undefined) return `no command ${name}`;
  const entry = await row.load();
  const args = rest.filter((word) => word !== "..." && word !== "--help" && word !== "-h");
  try {
    if (!isGroup(entry)) parseCommand(entry, withNumbers(entry, args));
    else if (!((isInline || rest.includes("--help")) && isNoun(entry, args))) {
      if (/^[A-Z]+$/.test(args[0] ?? "")) return undefined;
      const found = findVerb(entry, args);
      parseCommand(found.verb, withNumbers(found.verb, found.rest));
    }
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return undefined;
}

/** Whether verbs of the group begin with these words: "certs", "certs authority". */
function isNoun(group: CommandGroup, words: readonly string[]): boolean {
  const noun = [group.name, ...words].join(" ");
  return words.length === 0 || group.verbs.some(({ name }) => name.startsWith(`${noun} `));
}

/** Placeholders (N, BYTES) become numbers where the option wants one. */
function withNumbers(command: Command, args: readonly string[]): string[] {
  return args.map((word, at) => {
    const option = command.options[(args[at - 1] ?? "").replace(/^--/, "")];
    return option?.kind === "number" && /^[A-Z]+$/.test(word) ? String(option.minimum) : word;
  });
}

async function commandProblems(pages: readonly Page[]): Promise<string[]> {
  const problems: string[] = [];
  for (const { path, text } of pages) {
    for (const line of commandLines(text)) {
      const problem = await commandProblem(line);
      if (problem === undefined) continue;
      problems.push(`${path}: dolium ${line.words.join(" ")}: ${problem}`);
    }
  }
  return problems;
}

test("every relative link of a page leads somewhere", () => {
  const pages = markdownPages();
  assert.ok(pages.length > 50, "pages were found");
  const problems = pages.flatMap((page) =>
    linkTargets(page.text).flatMap((target) => linkProblem(page, target) ?? []),
  );
  assert.deepEqual(problems, []);
});

test("every dolium command line of a page is one that the command takes", async () => {
  const pages = markdownPages();
  const count = pages.flatMap(({ text }) => commandLines(text)).length;
  assert.ok(count > 100, `${count} command lines were found`);
  assert.deepEqual(await commandProblems(pages), []);
});

test("every DOLIUM_ variable of a section, named in a page, is a setting", () => {
  const known = new Set(settingRows(ConfigSchema).map(({ variable }) => variable));
  const problems = markdownPages().flatMap(({ path, text }) =>
    [...text.matchAll(/\bDOLIUM_[A-Z0-9_]*?[A-Z0-9]__[A-Z0-9][A-Z0-9_]*[A-Z0-9]/g)]
      .map(([variable]) => variable)
      .filter((variable) => !known.has(variable) && !known.has(variable.replace(/_FILE$/, "")))
      .map((variable) => `${path}: ${variable}`),
  );
  assert.deepEqual(problems, []);
});

test("every target of make that a page names is there", () => {
  const makefile = readFileSync(join(ROOT, "Makefile"), "utf8");
  const known = new Set([...makefile.matchAll(/^([a-z-]+):/gm)].map(([, name]) => name));
  const named = markdownPages().flatMap(({ path, text }) =>
    makeTargets(text).map((target) => ({ path, target })),
  );
  assert.ok(named.length > 20, `${named.length} targets were found`);
  assert.deepEqual(
    named.filter(({ target }) => !known.has(target)),
    [],
  );
  assert.deepEqual(makeTargets("Run `make no-such A=1`, `make`."), ["no-such"]);
});

test("a link to nothing and to a heading that is not there are found", () => {
  const page = { path: "docs/cli.md", text: "" };
  assert.match(linkProblem(page, "no-such-page.md") ?? "", /not there/);
  assert.match(linkProblem(page, "backup.md#no-such") ?? "", /no such heading/);
  assert.match(linkProblem(page, "../../outside.md") ?? "", /out of the repository/);
  assert.equal(linkProblem(page, "backup.md#backup"), undefined);
  assert.deepEqual(linkTargets('[a](b.md) `[c](d.md)` <img src="e.svg">'), ["b.md", "e.svg"]);
});

test("command lines that the table does not take are found, wherever they stand", async () => {
  const fence = (line: string): string => `text\n\n\`\`\`sh\n${line}\n\`\`\`\n`;
  const wrong = [
    fence("dolium frobnicate"),
    fence("export A=1 && dolium status --frob | jq ."),
    fence("A=1 npx dolium user create \\\n  alice --no-such"),
    fence("kubectl exec dolium-0 -- dolium node explode"),
    fence("dolium user"),
    "Run `dolium user invent` then.",
    "Run `dolium status --watched`.",
    "Run `dolium certs show|mend DIR`.",
  ];
  for (const text of wrong) {
    const problems = await commandProblems([{ path: "page.md", text }]);
    assert.equal(problems.length, 1, text);
  }
  const right = [
    fence("dolium status --json | jq . # dolium frobnicate"),
    fence("cat <<EOF | dolium bucket policy x --file -\ndolium frobnicate\nEOF"),
    "A noun, `dolium user`, and `dolium COMMAND --help`.",
    "Nouns `dolium certs init|authority`.",
  ];
  for (const text of right) {
    assert.deepEqual(await commandProblems([{ path: "page.md", text }]), [], text);
  }
});

test("shell text is split as a shell splits it", () => {
  assert.deepEqual(shellCommands("a 'b c' \"d e\" >f # g\nh|i && j; k"), [
    ["a", "b c", "d e"],
    ["h|i"],
    ["j"],
    ["k"],
  ]);
});
