// Removes objects and versions, a thousand a request. Keys that XML cannot carry are removed one by
// one. Every key is told, as removed or as failed.
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  type ObjectIdentifier,
} from "@aws-sdk/client-s3";
import { CommandError, ExitCode } from "../exit-code.ts";
import { about } from "./failure.ts";
import { runLanes } from "./lanes.ts";
import { shownLocation } from "./location.ts";
import type { ObjectContext } from "./object-context.ts";
import type { Report } from "./report.ts";

/** `versionId` undefined: the current version; where versions are kept, a delete marker is laid. */
export interface Removal {
  readonly key: string;
  readonly versionId: string | undefined;
}

export interface RemovalHow {
  readonly bucket: string;
  readonly report: Report;
  readonly dryRun: boolean;
}

const BATCH_MAX = 1000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 cannot carry these.
const NOT_IN_XML = /[\u0000-\u0008\u000b\u000c\u000d\u000e-\u001f\ufffe\uffff]/;

/** Failures of single keys go to the report. */
export async function removeAll(
  context: ObjectContext,
  removals: AsyncIterable<Removal>,
  how: RemovalHow,
): Promise<void> {
  await runLanes(batches(removals), context.jobs, async (batch) => {
    if (how.dryRun) {
      for (const removal of batch) tellRemoved(how, removal, "would-remove");
      return;
    }
    const [odd, plain] = [
      batch.filter(({ key }) => NOT_IN_XML.test(key)),
      batch.filter(({ key }) => !NOT_IN_XML.test(key)),
    ];
    for (const removal of odd) await removeOne(context, removal, how);
    const [first, ...others] = plain;
    if (first !== undefined && others.length === 0) await removeOne(context, first, how);
    else if (first !== undefined) await removeBatch(context, plain, how);
  });
}

async function* batches(removals: AsyncIterable<Removal>): AsyncGenerator<Removal[]> {
  let batch: Removal[] = [];
  for await (const removal of removals) {
    batch.push(removal);
    if (batch.length < BATCH_MAX) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

async function removeOne(
  context: ObjectContext,
  { key, versionId }: Removal,
  how: RemovalHow,
): Promise<void> {
  const subject = nameOf(how.bucket, key);
  try {
    const answer = await about(subject, () =>
      context.s3.send(
        new DeleteObjectCommand({ Bucket: how.bucket, Key: key, ...version(versionId) }),
        { abortSignal: context.signal },
      ),
    );
    tellRemoved(how, { key, versionId: versionId ?? answer.VersionId }, "removed");
  } catch (error) {
    if (context.signal.aborted) throw error;
    how.report.fail(error, subject);
  }
}

async function removeBatch(
  context: ObjectContext,
  batch: readonly Removal[],
  how: RemovalHow,
): Promise<void> {
  const Objects = batch.map(
    ({ key, versionId }): ObjectIdentifier => ({ Key: key, ...version(versionId) }),
  );
  const answer = await about(nameOf(how.bucket, ""), () =>
    context.s3.send(
      new DeleteObjectsCommand({ Bucket: how.bucket, Delete: { Objects, Quiet: true } }),
      { abortSignal: context.signal },
    ),
  );
  const failed = new Set<string>();
  for (const { Key = "", VersionId, Code = "failed", Message = "" } of answer.Errors ?? []) {
    failed.add(identity(Key, VersionId));
    const exitCode = Code === "AccessDenied" ? ExitCode.DENIED : ExitCode.FAILED;
    const subject = nameOf(how.bucket, Key);
    how.report.fail(new CommandError(exitCode, Code, `${subject}: ${Message}`), subject);
  }
  for (const removal of batch) {
    if (!failed.has(identity(removal.key, removal.versionId))) tellRemoved(how, removal, "removed");
  }
}

function tellRemoved({ bucket, report }: RemovalHow, removal: Removal, event: string): void {
  const { key, versionId } = removal;
  const note = versionId === undefined ? "" : ` (version ${versionId})`;
  const words = event === "removed" ? "removed" : "would remove";
  const fields = { event, bucket, key, ...(versionId === undefined ? {} : { versionId }) };
  report.tell(fields, `${words} ${nameOf(bucket, key)}${note}`);
}

function nameOf(bucket: string, key: string): string {
  return shownLocation({ kind: "remote", bucket, key });
}

function version(versionId: string | undefined): { readonly VersionId?: string } {
  return versionId === undefined ? {} : { VersionId: versionId };
}

/** Servers echo an empty or no version for the current one. */
function identity(key: string, versionId: string | undefined): string {
  return JSON.stringify([key, versionId ?? ""]);
}
