// The page of the bucket browser: folders, objects, sizes, dates, links to save. Made here as plain
// HTML without scripts; nothing is loaded from anywhere, and names of keys are text, whatever they
// hold.
import { createHash } from "node:crypto";
import { utf8 } from "../../lib/base/bytes.ts";
import { escapeXml } from "../../lib/s3/xml-writer.ts";
import type { Answer } from "../answer.ts";
import type { PageLinks } from "./page-links.ts";

export interface BrowsedObject {
  readonly key: string;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly lastModifiedMs: number;
}

export interface BrowsePage {
  /** As the client calls the bucket. */
  readonly bucket: string;
  readonly prefix: string;
  /** Full prefixes, ending with a slash. */
  readonly folders: readonly string[];
  readonly objects: readonly BrowsedObject[];
  /** Where the next page goes on; undefined at the end. */
  readonly nextStartAfter: string | undefined;
}

const STYLE = [
  ":root{color-scheme:light dark}",
  "body{font-family:system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}",
  "h1{font-size:1.25rem;overflow-wrap:anywhere}",
  "table{border-collapse:collapse;width:100%}",
  "th,td{text-align:left;padding:.35rem .75rem .35rem 0;border-bottom:1px solid #8884}",
  "td:first-child{overflow-wrap:anywhere}",
  ".size{text-align:right;white-space:nowrap}",
  ".date{white-space:nowrap}",
].join("");

const SLASH = "/";
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
/** Control characters, and those that change the direction of text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is shown
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

export function browseAnswer(page: BrowsePage, links: PageLinks): Answer {
  const styleHash = createHash("sha256").update(STYLE).digest("base64");
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${styleHash}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  return {
    status: 200,
    headers: [
      ["Content-Type", "text/html; charset=utf-8"],
      ["Content-Security-Policy", policy],
      ["X-Content-Type-Options", "nosniff"],
      // Links may be presigned: neither other sites nor caches are to learn them.
      ["Referrer-Policy", "no-referrer"],
      ["Cache-Control", "no-store"],
    ],
    body: { kind: "bytes", bytes: utf8(htmlOf(page, links)) },
  };
}

function htmlOf(page: BrowsePage, links: PageLinks): string {
  const { bucket, prefix, folders, objects, nextStartAfter } = page;
  const title = shown(`${bucket}/${prefix}`);
  const rows = [
    ...folders.map((folder) => folderRow(folder, prefix, links)),
    ...objects.filter(({ key }) => key !== prefix).map((each) => objectRow(each, prefix, links)),
  ];
  const empty = '<tr><td colspan="3">Nothing is here.</td></tr>';
  const next =
    nextStartAfter === undefined
      ? ""
      : `<p>${link(links.page(prefix, nextStartAfter), "More", ' rel="next"')}</p>`;
  return [
    "<!DOCTYPE html>",
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${title}</title><style>${STYLE}</style></head><body>`,
    `<h1>${trail(page, links)}</h1>`,
    '<table><thead><tr><th scope="col">Name</th><th scope="col" class="size">Size</th>',
    '<th scope="col">Last modified (UTC)</th></tr></thead><tbody>',
    ...(rows.length === 0 ? [empty] : rows),
    `</tbody></table>${next}</body></html>`,
    "",
  ].join("\n");
}

/** The bucket and each folder on the way; those above the root of the links are names only. */
function trail({ bucket, prefix }: BrowsePage, links: PageLinks): string {
  const steps: string[] = [];
  let path = "";
  const add = (name: string): void => {
    const isLinked = path !== prefix && path.startsWith(links.root);
    steps.push(isLinked ? link(links.page(path), name) : `<bdi>${shown(name)}</bdi>`);
  };
  add(`${bucket}${SLASH}`);
  let from = 0;
  for (;;) {
    const slash = prefix.indexOf(SLASH, from);
    if (slash < 0) break;
    path = prefix.slice(0, slash + 1);
    add(prefix.slice(from, slash + 1));
    from = slash + 1;
  }
  if (from < prefix.length) steps.push(`<bdi>${shown(prefix.slice(from))}</bdi>`);
  return steps.join("");
}

function folderRow(folder: string, prefix: string, links: PageLinks): string {
  const name = link(links.page(folder), nameWithin(folder, prefix));
  return `<tr><td>${name}</td><td class="size"></td><td></td></tr>`;
}

function objectRow(
  { key, size, lastModifiedMs }: BrowsedObject,
  prefix: string,
  links: PageLinks,
): string {
  const text = nameWithin(key, prefix);
  const href = links.download(key);
  const name = href === undefined ? `<bdi>${shown(text)}</bdi>` : link(href, text, " download");
  const date = new Date(lastModifiedMs).toISOString().slice(0, 19).replace("T", " ");
  const sizeCell = `<td class="size" title="${size} bytes">${sizeText(size)}</td>`;
  return `<tr><td>${name}</td>${sizeCell}<td class="date">${date}</td></tr>`;
}

/** What comes after the last slash of the prefix: one in the middle of a name stays. */
function nameWithin(key: string, prefix: string): string {
  return key.slice(prefix.lastIndexOf(SLASH) + 1);
}

function link(href: string, text: string, attributes = ""): string {
  return `<a href="${escapeHtml(href)}"${attributes}><bdi>${shown(text)}</bdi></a>`;
}

function shown(text: string): string {
  return escapeHtml(
    text.replaceAll(HIDDEN, (character) => {
      const code = character.charCodeAt(0).toString(16).padStart(4, "0");
      return `\\u${code}`;
    }),
  );
}

function escapeHtml(text: string): string {
  return escapeXml(text).replaceAll('"', "&quot;").replaceAll("'", "&#39;");
}

function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit] ?? ""}`;
}
