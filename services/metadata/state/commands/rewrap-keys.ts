// RewrapKeys: puts what was sealed anew, under the next cluster key, in the place of what is there.
// Only bytes that are still those expected are replaced, so that repeating it, or a change
// meanwhile, does no harm.
import { equalBytes } from "../../../lib/base/bytes.ts";
import { KmsKeyRecordSchema } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type {
  Reply,
  RewrapKeys,
  RewrapKeys_NamedKey,
  RewrapKeys_Secret,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import type { CommandContext } from "../context.ts";
import { putIdentity, readUser } from "../identities.ts";
import { kmsKeyKey } from "../keys.ts";
import { accepted } from "../outcome.ts";
import { putRecord, readRecord, type StateWriter } from "../records.ts";

export function rewrapKeys(
  view: StateWriter,
  { namedKeys, secrets }: RewrapKeys,
  context: CommandContext,
): Reply {
  for (const named of namedKeys) rewrapNamed(view, named);
  // One revision a user, however many of its keys change.
  for (const name of new Set(secrets.map(({ user }) => user))) {
    const ofUser = secrets.filter(({ user }) => user === name);
    rewrapUser(view, context, { name, secrets: ofUser });
  }
  return accepted();
}

function rewrapNamed(view: StateWriter, named: RewrapKeys_NamedKey): void {
  const { name, version, expected, wrappedKey } = named;
  const key = kmsKeyKey(name);
  const record = readRecord(view, KmsKeyRecordSchema, key);
  const found = record?.versions.find((one) => one.version === version);
  if (record === undefined || found === undefined) return;
  if (!equalBytes(found.wrappedKey, expected)) return;
  found.wrappedKey = wrappedKey;
  putRecord(view, KmsKeyRecordSchema, { key, record });
}

function rewrapUser(
  view: StateWriter,
  context: CommandContext,
  { name, secrets }: { readonly name: string; readonly secrets: readonly RewrapKeys_Secret[] },
): void {
  const user = readUser(view, name);
  if (user === undefined) return;
  let isChanged = false;
  const keys = user.keys.map((key) => {
    const secret = secrets.find(
      ({ accessKeyId, expected }) =>
        accessKeyId === key.accessKeyId && equalBytes(key.sealedSecret, expected),
    );
    if (secret === undefined) return key;
    isChanged = true;
    return { ...key, sealedSecret: secret.sealedSecret };
  });
  if (isChanged) putIdentity(view, context, { case: "user", value: { ...user, keys } });
}
