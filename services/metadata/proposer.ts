// Commands and reads on the groups of this process: stamps commands with time and randomness,
// proposes them, translates what Raft answers, and reads only behind a barrier. Bad bytes met on
// the way fail the group's replica.
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { StoreError, toStoreError } from "../lib/base/errors.ts";
import {
  type Command,
  CommandSchema,
  LoggedCommandSchema,
  Outcome,
  type Reply,
  ReplySchema,
} from "../lib/gen/dolium/record/v1/command_pb.ts";
import type { Clock } from "../lib/ports/clock.ts";
import type { Random } from "../lib/ports/random.ts";
import type { StateSnapshot } from "../lib/raft/types.ts";
import type { Peer } from "./config.ts";
import type { Replica, ReplicaGroup } from "./replica.ts";
import { isIdOf } from "./replica-id.ts";
import type { FrozenView } from "./state/frozen-view.ts";
import { ID_BYTES } from "./state/keys.ts";
import { commandFault } from "./state/validate.ts";

export interface ProposerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly peers: readonly Peer[];
  /** Milliseconds for one command or barrier. */
  readonly callMs: number;
  /** The open replica; undefined while there is none. */
  readonly replica: () => Replica | undefined;
  /** The state of a group proved bad. */
  readonly groupFailed: (groupId: number, error: StoreError) => void;
}

export type CommandKind = Extract<
  NonNullable<MessageInitShape<typeof CommandSchema>["kind"]>,
  { case: string; value: unknown }
>;

const RANDOM_BYTES = 8;

export class Proposer {
  readonly #deps: ProposerDeps;

  constructor(deps: ProposerDeps) {
    this.#deps = deps;
  }

  /**
   * Resolves after the command is committed and applied here. Throws "invalid" for a malformed
   * command and what RaftGroup.propose throws, with the leader's address as hint.
   */
  async execute(
    groupId: number,
    order: { readonly commandId: Uint8Array; readonly command: Command },
    signal?: AbortSignal,
  ): Promise<Reply> {
    const { commandId, command } = order;
    if (commandId.byteLength !== ID_BYTES) {
      throw new StoreError("invalid", `a command id of ${commandId.byteLength} bytes`);
    }
    const fault = commandFault(command);
    if (fault !== undefined) throw new StoreError("invalid", `${command.kind.case}: ${fault}`);
    const { clock, random } = this.#deps;
    const logged = create(LoggedCommandSchema, {
      commandId,
      nowMs: BigInt(Math.max(0, Math.floor(clock.wallMs()))),
      random: random.bytes(RANDOM_BYTES),
      command,
    });
    const group = this.#group(groupId);
    const data = toBinary(LoggedCommandSchema, logged);
    const { reply } = await this.#translated(() => group.raft.propose(data, this.#limits(signal)));
    const decoded = fromBinary(ReplySchema, reply);
    if (decoded.outcome === Outcome.UNSPECIFIED) throw new StoreError("invalid", decoded.message);
    return decoded;
  }

  /** A command of this process itself. */
  run(groupId: number, kind: CommandKind): Promise<Reply> {
    const commandId = this.#deps.random.bytes(ID_BYTES);
    return this.execute(groupId, { commandId, command: create(CommandSchema, { kind }) });
  }

  /** Linearizable: sees everything that was acknowledged anywhere before the call. */
  async read<T>(
    groupId: number,
    read: (view: FrozenView) => Promise<T> | T,
    signal?: AbortSignal,
  ): Promise<T> {
    const group = this.#group(groupId);
    await this.#translated(() => group.raft.readBarrier(this.#limits(signal)));
    return this.readLocal(group, read);
  }

  /**
   * The group's whole state, with everything that was acknowledged anywhere before the call. The
   * caller closes it.
   */
  async snapshot(groupId: number, signal?: AbortSignal): Promise<StateSnapshot> {
    const group = this.#group(groupId);
    await this.#translated(() => group.raft.readBarrier(this.#limits(signal)));
    return group.state.snapshot();
  }

  /** A checked failure of what `snapshot` gave: bad bytes fail the group's replica. */
  noteDamage(groupId: number, error: StoreError): void {
    if (error.code === "corrupt" || error.code === "io") this.#deps.groupFailed(groupId, error);
  }

  /** Throws "not-leader", with the leader's address when it is known. */
  refuseFollower(groupId: number): Promise<never> {
    return this.#translated(() => {
      const leader = this.#group(groupId).raft.leader();
      const hint = leader === undefined ? {} : { leaderHint: String(leader) };
      throw new StoreError("not-leader", "the root group is led elsewhere", hint);
    });
  }

  /** What this replica has applied, which may be behind. */
  async readLocal<T>(group: ReplicaGroup, read: (view: FrozenView) => Promise<T> | T): Promise<T> {
    try {
      return await group.state.read(read);
    } catch (error) {
      const known = toStoreError(error);
      this.noteDamage(group.groupId, known);
      throw known;
    }
  }

  /** The address of a replica by its id. */
  addressOf(replicaId: number): string | undefined {
    return this.#deps.peers.find(({ name }) => isIdOf(replicaId, name))?.address;
  }

  #group(groupId: number): ReplicaGroup {
    const replica = this.#deps.replica();
    if (replica === undefined) throw new StoreError("unavailable", "this replica is not open");
    const group = replica.group(groupId);
    if (group === undefined) {
      throw new StoreError("unavailable", `group ${groupId} is not open on this replica`);
    }
    return group;
  }

  #limits(signal: AbortSignal | undefined) {
    const deadlineMs = this.#deps.callMs;
    return signal === undefined ? { deadlineMs } : { deadlineMs, signal };
  }

  async #translated<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      const known = toStoreError(error);
      if (known.code !== "not-leader") throw known;
      const leader = known.leaderHint === undefined ? undefined : Number(known.leaderHint);
      const address = leader === undefined ? undefined : this.addressOf(leader);
      throw new StoreError("not-leader", known.message, {
        cause: known,
        ...(address === undefined ? {} : { leaderHint: address }),
      });
    }
  }
}
