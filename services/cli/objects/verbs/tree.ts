// `dolium tree`: the folders and objects below a path, drawn while they are listed. With --json,
// the objects as `ls -r` gives them.
import type { CommandArguments, OptionTable } from "../../command-line.ts";
import { UsageError } from "../../command-line.ts";
import { ExitCode } from "../../exit-code.ts";
import { pathRules } from "../commands.ts";
import { treeLines } from "../key-tree.ts";
import { listObjects } from "../listing.ts";
import { folderPrefix, parseRemote, shownLocation } from "../location.ts";
import { pathFilter } from "../path-filter.ts";
import { type SessionOptions, withSession } from "../session.ts";
import { counted, shown, shownSize } from "../shown-text.ts";
import { fieldsOf } from "./ls.ts";

export async function tree(
  parsed: Pick<CommandArguments<OptionTable>, "positionals" | "given"> & {
    readonly options: SessionOptions;
  },
): Promise<number> {
  const { options, positionals } = parsed;
  const [path, ...others] = positionals;
  if (path === undefined || others.length > 0) throw new UsageError("tree takes one path");
  const location = parseRemote(path);
  const prefix = folderPrefix(location.key);
  const takes = pathFilter(pathRules(parsed.given));
  return withSession({ options }, async ({ context, output }) => {
    output.say(shownLocation({ ...location, key: prefix }));
    let former: readonly string[] = [];
    let [objects, bytes] = [0, 0];
    for await (const entry of listObjects(context, { ...location, key: prefix })) {
      const relative = entry.key.slice(prefix.length);
      if (entry.kind !== "object" || !takes(relative)) continue;
      const segments = relative.split("/");
      if (output.json) output.event(fieldsOf(location.bucket, entry));
      const note = `  ${shownSize(entry.bytes)}`;
      for (const line of treeLines(former, segments, note)) output.say(shown(line));
      former = segments;
      objects += 1;
      bytes += entry.bytes;
    }
    output.say(`${counted(objects, "object")}, ${shownSize(bytes)}`);
    return ExitCode.OK;
  });
}
