// DeleteIdentity: takes an entry out of the directory, unless something still needs it. A mark
// stays for those who follow the directory's changes.
import {
  type DeleteIdentity,
  Outcome,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { IdentityKind } from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import type { CommandContext } from "../context.ts";
import { isReferredTo, readIdentity, removeIdentity } from "../identities.ts";
import { ownedBucketPrefix, prefixRange } from "../keys.ts";
import { accepted, refused } from "../outcome.ts";
import type { StateReader, StateWriter } from "../records.ts";

export async function deleteIdentity(
  view: StateWriter,
  command: DeleteIdentity,
  context: CommandContext,
): Promise<Reply> {
  const { kind, name, expectedRevision } = command;
  const record = readIdentity(view, { kind, name });
  if (record === undefined) return refused(Outcome.NO_SUCH_IDENTITY, `there is no ${name}`);
  if (expectedRevision !== 0n && expectedRevision !== record.revision) {
    return refused(Outcome.CONFLICT, `${name} is at revision ${record.revision}`);
  }
  const user = await useOf(view, command);
  if (user !== undefined) return refused(Outcome.IN_USE, `${name} ${user}`);
  removeIdentity(view, context, { kind, name });
  const sessions = { kind: IdentityKind.SESSIONS, name };
  const hasSessions = kind === IdentityKind.USER && readIdentity(view, sessions) !== undefined;
  if (hasSessions) removeIdentity(view, context, sessions);
  return accepted();
}

/** What keeps an entry from being deleted. */
async function useOf(
  reader: StateReader,
  { kind, name }: DeleteIdentity,
): Promise<string | undefined> {
  if (kind === IdentityKind.USER) {
    const owned = await reader.scan(prefixRange(ownedBucketPrefix(name)), 1);
    if (owned.length > 0) return "owns buckets";
  }
  if (!(await isReferredTo(reader, { kind, name }))) return undefined;
  if (kind === IdentityKind.USER) return "has service accounts";
  return kind === IdentityKind.GROUP ? "has members" : "is attached";
}
