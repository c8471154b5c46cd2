// Calls the metadata service: finds the leader of a group, follows hints, asks another replica
// when one is silent, retries what is safe to retry, and gives every command an id, so that a
// retry after a lost answer never applies twice.
//
// Guarantees: a command that is answered was applied once. "timeout" means its outcome is unknown.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { assert, present } from "../base/assert.ts";
import { isStoreError, StoreError } from "../base/errors.ts";
import {
  ClusterService,
  type ClusterStatusResponse,
  type HeartbeatRequestSchema,
  type HeartbeatResponse,
} from "../gen/dolium/cluster/v1/cluster_pb.ts";
import {
  MetadataService,
  type QueryRequestSchema,
  type QueryResponse,
} from "../gen/dolium/metadata/v1/metadata_pb.ts";
import type { CommandSchema, Reply } from "../gen/dolium/record/v1/command_pb.ts";
import type { OriginSchema } from "../gen/dolium/record/v1/group_pb.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import type { Channel, Transport } from "../ports/transport.ts";
import { ROOT_GROUP } from "./groups.ts";
import { LeaderSearch } from "./leader-search.ts";

type CommandInit = MessageInitShape<typeof CommandSchema>;
type QueryInit = MessageInitShape<typeof QueryRequestSchema>;

/** One command, as `{ case, value }`. */
export type CommandKind = Extract<
  NonNullable<CommandInit["kind"]>,
  { case: string; value: unknown }
>;
/** One query, as `{ case, value }`. */
export type QueryKind = Extract<NonNullable<QueryInit["kind"]>, { case: string; value: unknown }>;
export type QueryCase = QueryKind["case"];
/** The answer to a query of that case. */
export type QueryAnswer<C extends QueryCase> = Extract<QueryResponse["kind"], { case: C }>["value"];

/** Who caused a command; events and audits tell it. */
export type OriginInit = MessageInitShape<typeof OriginSchema>;

export interface ExecuteOptions extends MetadataCallOptions {
  /** 16 bytes, to repeat a command; a new id without. */
  readonly commandId?: Uint8Array;
  readonly origin?: OriginInit;
}

export interface MetadataClientDeps {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface MetadataClientOptions {
  /** host:port of every metadata replica that may be asked first. */
  readonly addresses: readonly string[];
  /** Milliseconds for a call with all its retries. */
  readonly deadlineMs?: number;
  /** Milliseconds for one attempt at one replica. */
  readonly attemptMs?: number;
}

export interface MetadataCallOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds for this call with all its retries. */
  readonly deadlineMs?: number;
  readonly requestId?: string;
}

const COMMAND_ID_BYTES = 16;
const DEADLINE_MS = 10_000;
const ATTEMPT_MS = 3000;
/** Far more than a call takes across campuses; far less than an election. */
const HEDGE_MS = 500;

export class MetadataClient {
  readonly #deps: MetadataClientDeps;
  readonly #addresses: readonly string[];
  readonly #deadlineMs: number;
  readonly #attemptMs: number;
  readonly #leaders = new Map<number, string>();
  #nextAddress: number;

  constructor(deps: MetadataClientDeps, options: MetadataClientOptions) {
    assert(options.addresses.length > 0, "MetadataClient: no addresses");
    this.#deps = deps;
    this.#addresses = options.addresses;
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    this.#attemptMs = options.attemptMs ?? ATTEMPT_MS;
    this.#nextAddress = deps.random.below(options.addresses.length);
  }

  /**
   * Proposes one command to a group; resolves after it is committed and applied. What the state
   * machine decided is in the reply's outcome. Throws StoreError, "timeout" when the outcome is
   * unknown.
   */
  async execute(groupId: number, kind: CommandKind, options: ExecuteOptions = {}): Promise<Reply> {
    const commandId = options.commandId ?? this.#deps.random.bytes(COMMAND_ID_BYTES);
    const { origin } = options;
    const command = origin === undefined ? { kind } : { kind, origin };
    const request = { groupId, commandId, command };
    const response = await this.#withLeader(groupId, options, (channel, call) =>
      channel.unary(MetadataService.method.execute, request, call),
    );
    return present(response.reply, "reply");
  }

  /**
   * Linearizable read from a group. Throws StoreError, "sealed" for a bucket that is being deleted.
   */
  async query<C extends QueryCase>(
    groupId: number,
    kind: Extract<QueryKind, { case: C }>,
    options: MetadataCallOptions = {},
  ): Promise<QueryAnswer<C>> {
    const response = await this.#withLeader(groupId, options, (channel, call) =>
      channel.unary(MetadataService.method.query, { groupId, kind }, call),
    );
    if (response.kind.case !== kind.case) {
      throw new StoreError("internal", `asked ${kind.case}, answered ${response.kind.case}`);
    }
    // Checked boundary: the case was compared just above.
    return response.kind.value as QueryAnswer<C>;
  }

  /** Tells the root group's leader that this process lives. */
  async heartbeat(
    request: MessageInitShape<typeof HeartbeatRequestSchema>,
    options: MetadataCallOptions = {},
  ): Promise<HeartbeatResponse> {
    return this.#withLeader(ROOT_GROUP, options, (channel, call) =>
      channel.unary(ClusterService.method.heartbeat, request, call),
    );
  }

  /** Nodes, processes and disks as the root group's leader knows them now. */
  async clusterStatus(options: MetadataCallOptions = {}): Promise<ClusterStatusResponse> {
    return this.#withLeader(ROOT_GROUP, options, (channel, call) =>
      channel.unary(ClusterService.method.clusterStatus, {}, call),
    );
  }

  async #withLeader<T>(
    groupId: number,
    options: MetadataCallOptions,
    attempt: (channel: Channel, call: Parameters<Channel["unary"]>[2]) => Promise<T>,
  ): Promise<T> {
    const { clock, random, transport } = this.#deps;
    const search = new LeaderSearch(
      {
        clock,
        random,
        next: (asked) => this.#nextOf(groupId, asked),
        noteFailure: (address, error) => this.#noteFailure(groupId, address, error),
      },
      {
        deadlineMs: options.deadlineMs ?? this.#deadlineMs,
        attemptMs: this.#attemptMs,
        hedgeMs: HEDGE_MS,
      },
      { options, attempt: (address, limits) => attempt(transport.channel(address), limits) },
    );
    try {
      const { address, result } = await search.run();
      this.#leaders.set(groupId, address);
      return result;
    } catch (thrown) {
      if (!isStoreError(thrown, "timeout") && !isStoreError(thrown, "unavailable")) throw thrown;
      throw this.#gaveUp(groupId, thrown);
    }
  }

  /** The leader as last known, else the replicas one after the other. */
  #nextOf(groupId: number, asked: ReadonlySet<string>): string | undefined {
    const leader = this.#leaders.get(groupId);
    if (leader !== undefined && !asked.has(leader)) return leader;
    for (let tried = 0; tried < this.#addresses.length; tried += 1) {
      const address = this.#rotate();
      if (!asked.has(address)) return address;
    }
    return undefined;
  }

  /** Forgets a leader that is none; the new one where it is known. */
  #noteFailure(groupId: number, address: string, error: StoreError): string | undefined {
    const hint = isStoreError(error, "not-leader") ? error.leaderHint : undefined;
    if (hint !== undefined && hint !== "" && hint !== address) {
      this.#leaders.set(groupId, hint);
      return hint;
    }
    if (this.#leaders.get(groupId) === address) this.#leaders.delete(groupId);
    return undefined;
  }

  #gaveUp(groupId: number, last: StoreError): StoreError {
    this.#deps.log.warn("metadata group does not answer", { groupId, last: last.message });
    return new StoreError(last.code, `metadata group ${groupId}: ${last.message}`, { cause: last });
  }

  #rotate(): string {
    this.#nextAddress = (this.#nextAddress + 1) % this.#addresses.length;
    return present(this.#addresses[this.#nextAddress], "metadata address");
  }
}
