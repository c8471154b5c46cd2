// `dolium cat`: objects to stdout, one after another, byte for byte, whatever else was asked for.
// With --json a failure adds its line to what was printed; the exit code tells the two apart.
import { UsageError } from "../../command-line.ts";
import { ExitCode } from "../../exit-code.ts";
import { parseObject } from "../location.ts";
import { printObject } from "../print-object.ts";
import { parseRange } from "../quantities.ts";
import { type SessionOptions, withSession } from "../session.ts";
import { customerKeyOf } from "../store-settings.ts";

interface CatOptions extends SessionOptions {
  readonly "version-id"?: string;
  readonly range?: string;
  readonly "sse-c-key"?: string;
}

export async function cat(parsed: {
  readonly options: CatOptions;
  readonly positionals: readonly string[];
}): Promise<number> {
  const { options } = parsed;
  const sources = parsed.positionals.map(parseObject);
  if (sources.length === 0) throw new UsageError("cat needs an object");
  const versionId = options["version-id"];
  if (versionId !== undefined && sources.length > 1) {
    throw new UsageError("--version-id needs one object");
  }
  const range = options.range === undefined ? undefined : parseRange(options.range);
  const customerKey = customerKeyOf(options["sse-c-key"]);
  return withSession({ options, customerKey }, async ({ context }) => {
    for (const source of sources) await printObject(context, { source, versionId, range });
    return ExitCode.OK;
  });
}
