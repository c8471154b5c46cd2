// `dolium share`: a link to fetch one object, or a form to upload one, for people without keys. It
// is computed here; whether the object exists is not asked.
import process from "node:process";
import { UsageError } from "../../command-line.ts";
import { CommandError, ExitCode } from "../../exit-code.ts";
import { parseObject, parseRemote } from "../location.ts";
import { parseDuration, parseSize } from "../quantities.ts";
import { type Session, type SessionOptions, withSession } from "../session.ts";
import { type LinkBase, presignedGet, uploadForm } from "../share-link.ts";
import { shownSize } from "../shown-text.ts";

interface ShareOptions extends SessionOptions {
  readonly expires?: string;
  readonly upload?: boolean;
  readonly "max-size"?: string;
  readonly "save-as"?: string;
  readonly "version-id"?: string;
}

const EXPIRES_DEFAULT = "1h";
const EXPIRES_MAX_SECONDS = 7 * 86_400;
/** What one POST may carry. */
const FORM_BYTES_MAX = 5 * 1024 ** 3;

export async function share(parsed: {
  readonly options: ShareOptions;
  readonly positionals: readonly string[];
}): Promise<number> {
  const { options, positionals } = parsed;
  const [path, ...others] = positionals;
  if (path === undefined || others.length > 0) throw new UsageError("share takes one path");
  const expiresSeconds = parseDuration("expires", options.expires ?? EXPIRES_DEFAULT);
  if (expiresSeconds < 1 || expiresSeconds > EXPIRES_MAX_SECONDS) {
    throw new UsageError("--expires must be from 1 second to 7 days");
  }
  const isUpload = options.upload === true;
  if (isUpload && (options["save-as"] ?? options["version-id"]) !== undefined) {
    throw new UsageError("--upload excludes --save-as and --version-id");
  }
  if (!isUpload && options["max-size"] !== undefined)
    throw new UsageError("--max-size needs --upload");
  const text = options["max-size"];
  const bytesMax = text === undefined ? FORM_BYTES_MAX : parseSize("max-size", text);
  if (bytesMax < 1 || bytesMax > FORM_BYTES_MAX) throw new UsageError("--max-size: up to 5GiB");
  const location = isUpload ? parseRemote(path) : parseObject(path);
  const note = (text: string): void => {
    const silent = options.quiet === true || options.json === true;
    if (!silent) process.stderr.write(`${text}\n`);
  };
  return withSession({ options }, async (session) => {
    const base = await linkBase(session, expiresSeconds);
    const expires = new Date(base.nowMs + expiresSeconds * 1000).toISOString();
    if (isUpload) {
      const { url, fields, curl } = uploadForm(base, { location, bytesMax });
      const pairs = Object.fromEntries(fields);
      session.report.show(
        { type: "upload-form", url, fields: pairs, bytesMax, expires, curl },
        curl,
      );
      note(
        `Put a file's name in place of FILE. Works until ${expires}, to ${shownSize(bytesMax)}.`,
      );
    } else {
      const versionId = options["version-id"];
      const url = presignedGet(base, { location, versionId, saveAs: options["save-as"] });
      session.report.show({ type: "link", url, expires }, url);
      note(`Works until ${expires}.`);
    }
    return ExitCode.OK;
  });
}

async function linkBase({ context }: Session, expiresSeconds: number): Promise<LinkBase> {
  const { connection } = context;
  if (connection.anonymous) throw new UsageError("a link needs keys that sign it");
  try {
    const keys = await connection.signingKeys();
    const { region, endpoint, pathStyle } = connection;
    return { keys, region, endpoint, pathStyle, nowMs: Date.now(), expiresSeconds };
  } catch (error) {
    const text = "no keys can be found that sign a link";
    throw new CommandError(ExitCode.DENIED, "no-credentials", text, { cause: error });
  }
}
