// Reads the Markdown pages for the documentation tests: links, anchors, command lines, names of
// settings. Code is told from prose, so that a link in an example is none.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { ROOT } from "./tree.ts";

export interface Page {
  /** Path from the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** A command line as a page has it, split into words as a shell does. */
export interface CommandLine {
  readonly words: readonly string[];
  /** From a sentence, where a noun without its verb is a name and no call. */
  readonly isInline: boolean;
}

const FOLDERS = ["docs", "services", "test", "deploy", "helm", "proto", "benchmarks"];
const LEFT_OUT = /(^|\/)(node_modules|target|dist|\.[^/]+)\//;
const FENCE = /^([ \t]*)(```+|~~~+)[ \t]*([a-z]*)[^\n]*\n([\s\S]*?)^\1\2[ \t]*$/gm;
const SHELLS = ["sh", "bash", "shell", "console", ""];
const OPERATORS = ["|", "||", "&&", ";", "&"];

/** Every Markdown page of ours, in order of path. */
export function markdownPages(): Page[] {
  const top = readdirSync(ROOT).filter((name) => name.endsWith(".md"));
  const below = FOLDERS.filter((folder) => existsSync(join(ROOT, folder))).flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(".md"))
      .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join("/")),
  );
  return [...top, ...below]
    .filter((path) => !LEFT_OUT.test(path))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}

/** Targets of links and pictures, as written. */
export function linkTargets(text: string): string[] {
  const prose = withoutFences(text).replace(/(`+)[^`]+?\1/g, "");
  const inline = [...prose.matchAll(/\]\(<?([^()\s<>]+)>?(?:\s+"[^"]*")?\)/g)];
  const defined = [...prose.matchAll(/^\[[^\]]+\]:\s+(\S+)/gm)];
  const tagged = [...prose.matchAll(/<(?:img|a)\s[^>]*(?:src|href)="([^"]+)"/g)];
  return [...inline, ...defined, ...tagged].flatMap((match) => match[1] ?? []);
}

/** Names of a page's headings, as links to them are written on GitHub. */
export function anchors(text: string): Set<string> {
  const found = new Set<string>();
  for (const [, heading = ""] of withoutFences(text).matchAll(/^#{1,6}[ \t]+(.+?)[ \t#]*$/gm)) {
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-");
    let name = slug;
    for (let copy = 1; found.has(name); copy += 1) name = `${slug}-${copy}`;
    found.add(name);
  }
  return found;
}

/** Text in backticks, outside of code blocks. */
export function codeSpans(text: string): string[] {
  return withoutFences(text)
    .split(/\n[ \t]*\n/)
    .flatMap((paragraph) => [...paragraph.matchAll(/(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)/gs)])
    .map((match) => (match[2] ?? "").replace(/\s+/g, " ").replaceAll("\\|", "|").trim());
}

/** Targets that a page's shell examples and sentences give to make. */
export function makeTargets(text: string): string[] {
  const spans = codeSpans(text).filter((span) => span.startsWith("make "));
  return [...shellBlocks(text), ...spans]
    .flatMap(shellCommands)
    .filter(([first]) => first === "make")
    .flatMap((words) => words.slice(1, 2))
    .filter((word) => /^[a-z][a-z-]*$/.test(word));
}

/** Every call of `dolium` in a page's shell examples and sentences. */
export function commandLines(text: string): CommandLine[] {
  const blocks = shellBlocks(text)
    .flatMap(shellCommands)
    .map((words) => ({ words, isInline: false }));
  const spans = codeSpans(text)
    .filter((span) => /^(npx |sudo )?dolium /.test(span))
    .flatMap((span) => shellCommands(span).flatMap(alternatives))
    .map((words) => ({ words, isInline: true }));
  return [...blocks, ...spans].flatMap(({ words, isInline }) => {
    const call = doliumCall(words);
    return call === undefined ? [] : [{ words: call, isInline }];
  });
}

/** `certs init|show` is two commands. */
function alternatives(words: readonly string[]): string[][] {
  const at = words.findIndex((word) => /^[a-z-]+(\|[a-z-]+)+$/.test(word));
  const choices = at < 0 ? [] : (words[at] ?? "").split("|");
  if (choices.length === 0) return [[...words]];
  return choices.flatMap((choice) => alternatives(words.with(at, choice)));
}

function shellBlocks(text: string): string[] {
  return [...text.matchAll(FENCE)]
    .filter((match) => SHELLS.includes(match[3] ?? ""))
    .map((match) => match[4] ?? "");
}

function withoutFences(text: string): string {
  return text.replace(FENCE, "");
}

/** The words after `dolium`, if that is what a command calls. */
function doliumCall(words: readonly string[]): string[] | undefined {
  let at = words.findIndex((word) => word !== "$" && !/^[A-Za-z_][A-Za-z0-9_]*=/.test(word));
  if (at < 0) return undefined;
  while (["npx", "sudo", "exec", "--no-install"].includes(words[at] ?? "")) at += 1;
  if (["docker", "kubectl", "podman"].includes(words[at] ?? "")) {
    const exec = words.indexOf("exec", at);
    if (exec < 0) return undefined;
    at = words.findIndex((word, i) => i > exec && word === "dolium" && words[i + 1] !== "dolium");
  }
  return words[at] === "dolium" ? words.slice(at + 1) : undefined;
}

/** Commands of a shell text, each as words: quotes, comments, continued lines, here documents. */
export function shellCommands(text: string): string[][] {
  const script = text
    .replace(/\\\n[ \t]*/g, " ")
    .replace(/<<-?\s*(['"]?)([A-Za-z_]+)\1([^\n]*)\n[\s\S]*?\n[ \t]*\2[ \t]*(?=\n|$)/g, "$3");
  return script.split("\n").flatMap((line) => {
    const commands: string[][] = [[]];
    for (const word of shellWords(line)) {
      if (OPERATORS.includes(word)) commands.push([]);
      else commands.at(-1)?.push(word);
    }
    return commands.filter((words) => words.length > 0).map(withoutRedirections);
  });
}

function shellWords(line: string): string[] {
  const words: string[] = [];
  const piece =
    /\s+|(?<=\s|^)#.*|((?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|\$\([^)]*\)|;(?!\s|$)|[^\s;"'\\])+|;)/g;
  for (const [, word] of line.matchAll(piece)) {
    if (word === undefined) continue;
    words.push(word.replace(/"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/g, "$1$2$3"));
  }
  return words;
}

function withoutRedirections(words: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (/^[0-9]?[<>]{1,2}$/.test(word)) at += 1;
    else if (!/^[0-9]?[<>]{1,2}[^<>]/.test(word)) kept.push(word);
  }
  return kept;
}
