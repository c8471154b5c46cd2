// Changes in the directory of users, groups, policies and roles: read, changed, and written back
// only if nobody else changed it meanwhile, else all over again. So two changes of one entry never
// undo each other.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { compareBytes } from "../base/bytes.ts";
import { isStoreError, StoreError } from "../base/errors.ts";
import { Outcome, type Reply } from "../gen/dolium/record/v1/command_pb.ts";
import {
  type GroupRecord,
  GroupRecordSchema,
  IdentityKind,
  type IdentityRecord,
  type ManagedPolicy,
  ManagedPolicySchema,
  type NamedPolicy,
  type RoleRecord,
  RoleRecordSchema,
  type SessionsRecord,
  SessionsRecordSchema,
  type UserRecord,
  UserRecordSchema,
} from "../gen/dolium/record/v1/identity_pb.ts";
import { ROOT_GROUP } from "./groups.ts";
import type { IdentityDirectory } from "./identity-directory.ts";
import type { ExecuteOptions, MetadataClient } from "./metadata-client.ts";

const ATTEMPTS_MAX = 20;

export interface IdentityEditorDeps {
  readonly metadata: Pick<MetadataClient, "execute" | "query">;
  /** This process's own view, which has a change as soon as it is made. */
  readonly directory?: Pick<IdentityDirectory, "invalidate">;
}

interface Records {
  readonly user: UserRecord;
  readonly group: GroupRecord;
  readonly policy: ManagedPolicy;
  readonly role: RoleRecord;
  readonly sessions: SessionsRecord;
}

type Case = keyof Records;

const KINDS = {
  user: IdentityKind.USER,
  group: IdentityKind.GROUP,
  policy: IdentityKind.POLICY,
  role: IdentityKind.ROLE,
  sessions: IdentityKind.SESSIONS,
} as const;

/**
 * All methods throw StoreError: "exists" (the name, or an id, token, certificate, address or
 * account that somebody else has), "not-found" (the entry, or one that it names), "conflict" (it is
 * in use, or is changed by others all the time), "invalid", and those of MetadataClient. Lists of
 * names may come in any order. `change` may run several times; what it throws is passed on.
 */
export class IdentityEditor {
  readonly #deps: IdentityEditorDeps;

  constructor(deps: IdentityEditorDeps) {
    this.#deps = deps;
  }

  createUser(
    user: MessageInitShape<typeof UserRecordSchema>,
    options?: ExecuteOptions,
  ): Promise<UserRecord> {
    return this.#create("user", create(UserRecordSchema, user), options);
  }

  changeUser(
    name: string,
    change: (user: UserRecord) => UserRecord,
    options?: ExecuteOptions,
  ): Promise<UserRecord> {
    return this.#change("user", { name, change }, options);
  }

  deleteUser(name: string, options?: ExecuteOptions): Promise<void> {
    return this.#delete("user", name, options);
  }

  createGroup(
    group: MessageInitShape<typeof GroupRecordSchema>,
    options?: ExecuteOptions,
  ): Promise<GroupRecord> {
    return this.#create("group", create(GroupRecordSchema, group), options);
  }

  changeGroup(
    name: string,
    change: (group: GroupRecord) => GroupRecord,
    options?: ExecuteOptions,
  ): Promise<GroupRecord> {
    return this.#change("group", { name, change }, options);
  }

  deleteGroup(name: string, options?: ExecuteOptions): Promise<void> {
    return this.#delete("group", name, options);
  }

  createPolicy(
    policy: MessageInitShape<typeof ManagedPolicySchema>,
    options?: ExecuteOptions,
  ): Promise<ManagedPolicy> {
    return this.#create("policy", create(ManagedPolicySchema, policy), options);
  }

  changePolicy(
    name: string,
    change: (policy: ManagedPolicy) => ManagedPolicy,
    options?: ExecuteOptions,
  ): Promise<ManagedPolicy> {
    return this.#change("policy", { name, change }, options);
  }

  deletePolicy(name: string, options?: ExecuteOptions): Promise<void> {
    return this.#delete("policy", name, options);
  }

  createRole(
    role: MessageInitShape<typeof RoleRecordSchema>,
    options?: ExecuteOptions,
  ): Promise<RoleRecord> {
    return this.#create("role", create(RoleRecordSchema, role), options);
  }

  changeRole(
    name: string,
    change: (role: RoleRecord) => RoleRecord,
    options?: ExecuteOptions,
  ): Promise<RoleRecord> {
    return this.#change("role", { name, change }, options);
  }

  deleteRole(name: string, options?: ExecuteOptions): Promise<void> {
    return this.#delete("role", name, options);
  }

  /**
   * Changes which sessions of a user were ended; an empty record where none was. Ended ones may
   * come in any order.
   */
  async changeSessions(
    user: string,
    change: (sessions: SessionsRecord) => SessionsRecord,
    options?: ExecuteOptions,
  ): Promise<SessionsRecord> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      try {
        return await this.#change("sessions", { name: user, change }, options);
      } catch (error) {
        if (!isStoreError(error, "not-found")) throw error;
      }
      try {
        const first = change(create(SessionsRecordSchema, { name: user }));
        return await this.#create("sessions", first, options);
      } catch (error) {
        // Somebody else was the first.
        if (!isStoreError(error, "exists")) throw error;
      }
    }
    throw new StoreError("conflict", `the sessions of ${user} are being changed by others`);
  }

  async #create<C extends Case>(
    kind: C,
    record: Records[C],
    options: ExecuteOptions = {},
  ): Promise<Records[C]> {
    const entry = { kind, record, expectedRevision: 0n };
    const { outcome, message, record: made } = await this.#put(entry, options);
    if (outcome !== Outcome.OK) throw failure(outcome, message);
    return entryOf(kind, made);
  }

  async #change<C extends Case>(
    kind: C,
    { name, change }: { readonly name: string; readonly change: Change<C> },
    options: ExecuteOptions = {},
  ): Promise<Records[C]> {
    let present = await this.#read(KINDS[kind], name, options);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      if (present === undefined) throw new StoreError("not-found", `there is no ${kind} ${name}`);
      const record = change(entryOf(kind, present));
      if (record.name !== name) throw new StoreError("invalid", "a name cannot be changed");
      const entry = { kind, record, expectedRevision: present.revision };
      const reply = await this.#put(entry, options);
      if (reply.outcome === Outcome.OK) return entryOf(kind, reply.record);
      if (reply.outcome !== Outcome.CONFLICT) throw failure(reply.outcome, reply.message);
      present = reply.record;
    }
    throw new StoreError("conflict", `${kind} ${name} is being changed by others`);
  }

  async #delete(kind: Case, name: string, options: ExecuteOptions = {}): Promise<void> {
    const value = { kind: KINDS[kind], name };
    const { metadata, directory } = this.#deps;
    const { outcome, message } = await metadata.execute(
      ROOT_GROUP,
      { case: "deleteIdentity", value },
      options,
    );
    if (outcome !== Outcome.OK) throw failure(outcome, message);
    directory?.invalidate();
  }

  async #read(
    kind: IdentityKind,
    name: string,
    options: ExecuteOptions,
  ): Promise<IdentityRecord | undefined> {
    const query = { case: "getIdentity", value: { kind, name } } as const;
    return (await this.#deps.metadata.query(ROOT_GROUP, query, options)).record;
  }

  async #put<C extends Case>(
    entry: {
      readonly kind: C;
      readonly record: Records[C];
      readonly expectedRevision: bigint;
    },
    { commandId: _ofTheCall, ...options }: ExecuteOptions,
  ): Promise<{
    readonly outcome: Outcome;
    readonly message: string;
    readonly record: IdentityRecord | undefined;
  }> {
    const { metadata, directory } = this.#deps;
    const { expectedRevision } = entry;
    const value = { record: { kind: written(entry.kind, entry.record) }, expectedRevision };
    const reply = await metadata.execute(ROOT_GROUP, { case: "putIdentity", value }, options);
    if (reply.outcome === Outcome.OK) directory?.invalidate();
    return { outcome: reply.outcome, message: reply.message, record: recordOf(reply) };
  }
}

type Change<C extends Case> = (record: Records[C]) => Records[C];

function recordOf({ kind }: Reply): IdentityRecord | undefined {
  return kind.case === "putIdentity" ? kind.value.record : undefined;
}

function entryOf<C extends Case>(kind: C, record: IdentityRecord | undefined): Records[C] {
  if (record?.kind.case !== kind) throw new StoreError("internal", `no ${kind} was answered`);
  // Checked boundary: the case was compared just above.
  return record.kind.value as Records[C];
}

/** The entry as it is sent: lists in order; a changed policy gets the time of its change. */
function written<C extends Case>(kind: C, record: Records[C]): IdentityRecord["kind"] {
  // Checked boundary: `kind` and `record` belong together by type.
  const entry = { case: kind, value: record } as IdentityRecord["kind"];
  switch (entry.case) {
    case "user": {
      const { value } = entry;
      const groups = value.groups.toSorted();
      const federated = value.federated.toSorted();
      return { case: "user", value: { ...value, ...sortedPolicies(value), groups, federated } };
    }
    case "group":
      return { case: "group", value: { ...entry.value, ...sortedPolicies(entry.value) } };
    case "role":
      return { case: "role", value: { ...entry.value, ...sortedPolicies(entry.value) } };
    case "policy":
      return { case: "policy", value: { ...entry.value, updatedMs: 0n } };
    case "sessions": {
      const ended = entry.value.ended.toSorted((a, b) => compareBytes(a.digest, b.digest));
      return { case: "sessions", value: { ...entry.value, ended } };
    }
    default:
      return entry;
  }
}

function sortedPolicies(entry: {
  readonly policies: readonly NamedPolicy[];
  readonly attachedPolicies: readonly string[];
}) {
  return {
    policies: entry.policies.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    attachedPolicies: entry.attachedPolicies.toSorted(),
  };
}

function failure(outcome: Outcome, message: string): StoreError {
  switch (outcome) {
    case Outcome.EXISTS:
    case Outcome.TAKEN:
      return new StoreError("exists", message);
    case Outcome.NO_SUCH_IDENTITY:
      return new StoreError("not-found", message);
    case Outcome.CONFLICT:
    case Outcome.IN_USE:
      return new StoreError("conflict", message);
    case Outcome.UNSPECIFIED:
      return new StoreError("invalid", message);
    default:
      return new StoreError("internal", `unexpected outcome ${outcome}: ${message}`);
  }
}
