// PutIdentity: makes or changes an entry of the directory by compare-and-swap. What it names must
// be there, and what proves who somebody is belongs to nobody else.
import { create } from "@bufbuild/protobuf";
import { present } from "../../../lib/base/assert.ts";
import {
  Outcome,
  type PutIdentity,
  PutIdentityReplySchema,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import {
  IdentityKind,
  type IdentityRecord,
  type UserRecord,
} from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import type { CommandContext } from "../context.ts";
import {
  holderOf,
  isReferredTo,
  nameOfIdentity,
  proofsOf,
  readIdentity,
  readUser,
  referencesOf,
  putIdentity as store,
} from "../identities.ts";
import { type IdentityName, PROOF } from "../keys.ts";
import { accepted, refused } from "../outcome.ts";
import type { StateReader, StateWriter } from "../records.ts";

type Kind = IdentityRecord["kind"];

const PROOF_NAMES = {
  [PROOF.id]: "access key or token id",
  [PROOF.tokenDigest]: "token",
  [PROOF.certificate]: "certificate",
  [PROOF.email]: "e-mail address",
  [PROOF.federated]: "federated account",
} as const;

export async function putIdentity(
  view: StateWriter,
  command: PutIdentity,
  context: CommandContext,
): Promise<Reply> {
  const { kind } = present(command.record, "record");
  const name = present(nameOfIdentity(kind), "name");
  const former = readIdentity(view, name);
  const no =
    refusedByRevision(command, name, former) ??
    refusedReference(view, kind) ??
    refusedProof(view, name, kind) ??
    (await refusedParent(view, kind));
  if (no !== undefined) return no;
  return accepted(answerOf(store(view, context, timed(kind, former?.kind, context.timeMs))));
}

function answerOf(record: IdentityRecord) {
  return { case: "putIdentity", value: create(PutIdentityReplySchema, { record }) } as const;
}

function refusedByRevision(
  { expectedRevision }: PutIdentity,
  { name }: IdentityName,
  former: IdentityRecord | undefined,
): Reply | undefined {
  if (former === undefined) {
    if (expectedRevision === 0n) return undefined;
    return refused(Outcome.NO_SUCH_IDENTITY, `there is no ${name}`);
  }
  if (expectedRevision === former.revision) return undefined;
  if (expectedRevision === 0n) {
    return refused(Outcome.EXISTS, `${name} exists`, answerOf(former));
  }
  const message = `${name} is at revision ${former.revision}`;
  return refused(Outcome.CONFLICT, message, answerOf(former));
}

function refusedReference(reader: StateReader, kind: Kind): Reply | undefined {
  const missing = referencesOf(kind).find((name) => readIdentity(reader, name) === undefined);
  if (missing === undefined) return undefined;
  const what = { [IdentityKind.GROUP]: "group", [IdentityKind.POLICY]: "policy" }[missing.kind];
  return refused(Outcome.NO_SUCH_IDENTITY, `there is no ${what ?? "user"} ${missing.name}`);
}

function refusedProof(reader: StateReader, name: IdentityName, kind: Kind): Reply | undefined {
  for (const proof of proofsOf(kind)) {
    const holder = holderOf(reader, proof);
    if (holder === undefined || holder === name.name) continue;
    return refused(Outcome.TAKEN, `somebody else has this ${PROOF_NAMES[proof.kind]}`);
  }
  return undefined;
}

/** Service accounts are one level deep: a parent has no parent. */
async function refusedParent(reader: StateReader, kind: Kind): Promise<Reply | undefined> {
  if (kind.case !== "user" || kind.value.parent === "") return undefined;
  const { name, parent } = kind.value;
  if (readUser(reader, parent)?.parent !== "") {
    return refused(Outcome.NO_SUCH_IDENTITY, `${parent} is a service account itself`);
  }
  const hasChildren = await isReferredTo(reader, { kind: IdentityKind.USER, name });
  return hasChildren ? refused(Outcome.IN_USE, `${name} has service accounts`) : undefined;
}

/** The entry with the times that it lacks; what was there keeps the time at which it was made. */
function timed(kind: Kind, former: Kind | undefined, nowMs: bigint): Kind {
  const made = (given: bigint, earlier: bigint | undefined): bigint =>
    given === 0n ? (earlier ?? nowMs) : given;
  switch (kind.case) {
    case "user": {
      const earlier = former?.case === "user" ? former.value : undefined;
      return { case: "user", value: timedUser(kind.value, made, earlier) };
    }
    case "group": {
      const earlier = former?.case === "group" ? former.value.createdMs : undefined;
      const createdMs = made(kind.value.createdMs, earlier);
      return { case: "group", value: { ...kind.value, createdMs } };
    }
    case "policy": {
      const earlier = former?.case === "policy" ? former.value.createdMs : undefined;
      const createdMs = made(kind.value.createdMs, earlier);
      const updatedMs = made(kind.value.updatedMs, undefined);
      return { case: "policy", value: { ...kind.value, createdMs, updatedMs } };
    }
    case "role": {
      const earlier = former?.case === "role" ? former.value.createdMs : undefined;
      const createdMs = made(kind.value.createdMs, earlier);
      return { case: "role", value: { ...kind.value, createdMs } };
    }
    default:
      return kind;
  }
}

function timedUser(
  user: UserRecord,
  made: (given: bigint, earlier: bigint | undefined) => bigint,
  former: UserRecord | undefined,
): UserRecord {
  const dated = <T extends { readonly createdMs: bigint }>(one: T): T => ({
    ...one,
    createdMs: made(one.createdMs, undefined),
  });
  return {
    ...user,
    createdMs: made(user.createdMs, former?.createdMs),
    keys: user.keys.map(dated),
    tokens: user.tokens.map(dated),
    certificates: user.certificates.map(dated),
  };
}
