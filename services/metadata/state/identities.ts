// The directory of identities in the root group's state: entries by kind and name, and beside them,
// changed in the same step, their order of revisions, who has which proof, who refers to whom, and
// when keys and tokens were last used. A deleted entry stays as a mark, so that whoever reads
// changes learns of it; for everything else it is not there.
import { create } from "@bufbuild/protobuf";
import { equalBytes, fromUtf8, utf8 } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import {
  DeletedIdentitySchema,
  IdentityKind,
  type IdentityRecord,
  IdentityRecordSchema,
  type UserRecord,
} from "../../lib/gen/dolium/record/v1/identity_pb.ts";
import type { CommandContext } from "./context.ts";
import {
  type IdentityName,
  identityKey,
  identityRevisionKey,
  lastUseKey,
  PROOF,
  type Proof,
  prefixRange,
  proofKey,
  referenceKey,
  referencePrefix,
} from "./keys.ts";
import { putRecord, readRecord, type StateReader, type StateWriter } from "./records.ts";

type Kind = IdentityRecord["kind"];

/** What an entry is called; a mark of a deleted one as that was. Undefined for one of no kind. */
export function nameOfIdentity(kind: Kind): IdentityName | undefined {
  switch (kind.case) {
    case "user":
      return { kind: IdentityKind.USER, name: kind.value.name };
    case "group":
      return { kind: IdentityKind.GROUP, name: kind.value.name };
    case "policy":
      return { kind: IdentityKind.POLICY, name: kind.value.name };
    case "role":
      return { kind: IdentityKind.ROLE, name: kind.value.name };
    case "sessions":
      return { kind: IdentityKind.SESSIONS, name: kind.value.name };
    case "deleted":
      return { kind: kind.value.kind, name: kind.value.name };
    case undefined:
      return undefined;
  }
}

/** An entry that is there; undefined for one that was deleted. */
export function readIdentity(reader: StateReader, name: IdentityName): IdentityRecord | undefined {
  const record = readRecord(reader, IdentityRecordSchema, identityKey(name));
  return record?.kind.case === "deleted" ? undefined : record;
}

export function readUser(reader: StateReader, name: string): UserRecord | undefined {
  const kind = readIdentity(reader, { kind: IdentityKind.USER, name })?.kind;
  return kind?.case === "user" ? kind.value : undefined;
}

/** Everything by which at most one user is known. */
export function proofsOf(kind: Kind): Proof[] {
  if (kind.case !== "user") return [];
  const { tokens, certificates, email, federated } = kind.value;
  return [
    ...idsOf(kind).map((id) => ({ kind: PROOF.id, value: utf8(id) })),
    ...tokens.map(({ digest }) => ({ kind: PROOF.tokenDigest, value: digest })),
    ...certificates.map(({ fingerprint }) => ({ kind: PROOF.certificate, value: fingerprint })),
    ...(email === "" ? [] : [{ kind: PROOF.email, value: utf8(email) }]),
    ...federated.map((account) => ({ kind: PROOF.federated, value: utf8(account) })),
  ];
}

function idsOf(kind: Kind): string[] {
  if (kind.case !== "user") return [];
  const { keys, tokens } = kind.value;
  return [...keys.map(({ accessKeyId }) => accessKeyId), ...tokens.map(({ tokenId }) => tokenId)];
}

/** The entries that must be there for this one to be. */
export function referencesOf(kind: Kind): IdentityName[] {
  const policies = (names: readonly string[]): IdentityName[] =>
    names.map((name) => ({ kind: IdentityKind.POLICY, name }));
  // A policy may be attached and the boundary too.
  const withBoundary = (names: readonly string[], boundary: string): string[] => [
    ...new Set([...names, ...(boundary === "" ? [] : [boundary])]),
  ];
  switch (kind.case) {
    case "user": {
      const { groups, attachedPolicies, boundary, parent } = kind.value;
      return [
        ...groups.map((name) => ({ kind: IdentityKind.GROUP, name })),
        ...policies(withBoundary(attachedPolicies, boundary)),
        ...(parent === "" ? [] : [{ kind: IdentityKind.USER, name: parent }]),
      ];
    }
    case "group":
      return policies(kind.value.attachedPolicies);
    case "role":
      return policies(withBoundary(kind.value.attachedPolicies, kind.value.boundary));
    case "policy":
    // Sessions are forgotten with their user, and keep nobody from being deleted.
    case "sessions":
    case "deleted":
    case undefined:
      return [];
  }
}

/** Whose a proof is; undefined when it is nobody's. */
export function holderOf(reader: StateReader, proof: Proof): string | undefined {
  const payload = reader.get(proofKey(proof));
  if (payload === undefined) return undefined;
  const name = fromUtf8(payload);
  if (name === undefined) throw new StoreError("corrupt", "a proof of nobody's");
  return name;
}

/** True when an entry refers to this one. */
export async function isReferredTo(reader: StateReader, name: IdentityName): Promise<boolean> {
  const entries = await reader.scan(prefixRange(referencePrefix(name)), 1);
  return entries.length > 0;
}

/** Stores an entry under the directory's next revision; gives it as it is stored. */
export function putIdentity(
  view: StateWriter,
  context: CommandContext,
  kind: Kind,
): IdentityRecord {
  const name = nameOfIdentity(kind);
  if (name === undefined) throw new StoreError("internal", "an identity of no kind");
  const key = identityKey(name);
  const former = readRecord(view, IdentityRecordSchema, key);
  context.meta.identityRevision += 1n;
  const revision = context.meta.identityRevision;
  const record = create(IdentityRecordSchema, { revision, kind });
  if (former !== undefined) {
    view.delete(identityRevisionKey(former.revision, name));
    leave(view, name, former.kind, kind);
  }
  view.put(identityRevisionKey(revision, name), new Uint8Array(0));
  for (const proof of proofsOf(kind)) view.put(proofKey(proof), utf8(name.name));
  for (const target of referencesOf(kind)) {
    view.put(referenceKey(target, name), new Uint8Array(0));
  }
  putRecord(view, IdentityRecordSchema, { key, record });
  return record;
}

/** Leaves a mark in the place of an entry; everything beside it is freed. */
export function removeIdentity(
  view: StateWriter,
  context: CommandContext,
  name: IdentityName,
): void {
  const value = create(DeletedIdentitySchema, { kind: kindOf(name.kind), name: name.name });
  putIdentity(view, context, { case: "deleted", value });
}

/** Frees what the former entry had beside it and the next one has not. */
function leave(view: StateWriter, name: IdentityName, former: Kind, next: Kind): void {
  const kept = proofsOf(next).map(proofKey);
  for (const proof of proofsOf(former)) {
    const key = proofKey(proof);
    if (!kept.some((one) => equalBytes(one, key))) view.delete(key);
  }
  for (const target of referencesOf(former)) view.delete(referenceKey(target, name));
  const ids = new Set(idsOf(next));
  for (const id of idsOf(former)) if (!ids.has(id)) view.delete(lastUseKey(id));
}

/** Throws "corrupt" for a number that is no kind. */
export function kindOf(kind: number): IdentityKind {
  switch (kind) {
    case IdentityKind.USER:
    case IdentityKind.GROUP:
    case IdentityKind.POLICY:
    case IdentityKind.ROLE:
    case IdentityKind.SESSIONS:
      return kind;
    default:
      throw new StoreError("corrupt", `an identity of kind ${kind}`);
  }
}
