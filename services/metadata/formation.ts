// How a replica finds its cluster: founds it when all replicas are new, is handed the founding by
// another one, or joins the one that exists under its name and a new id. One round at a time; every
// round may fail and be made again. What changes is durable before anybody hears of it.
import { present } from "../lib/base/assert.ts";
import { mapBounded } from "../lib/base/bounded.ts";
import { toHex, toSafeNumber } from "../lib/base/bytes.ts";
import { StoreError, toStoreError } from "../lib/base/errors.ts";
import { FIRST_INDEX_GROUP, ROOT_GROUP } from "../lib/clients/groups.ts";
import {
  type HelloResponse,
  type JoinResponse,
  MembershipService,
} from "../lib/gen/dolium/metadata/v1/membership_pb.ts";
import type { Log } from "../lib/ports/log.ts";
import type { Random } from "../lib/ports/random.ts";
import type { Transport } from "../lib/ports/transport.ts";
import type { MetadataConfig, Peer } from "./config.ts";
import type { Identity, KnownMember } from "./identity.ts";
import { checkCluster, type Founding, knownMember, plainMember } from "./membership-service.ts";

export interface FormationDeps {
  readonly config: MetadataConfig;
  readonly transport: Transport;
  readonly random: Random;
  readonly log: Log;
  readonly identity: () => Identity;
}

export type FormationStep =
  /** Nothing to do now; `state` is for people. */
  | { readonly kind: "wait"; readonly state: string }
  | { readonly kind: "found"; readonly founding: Founding }
  | { readonly kind: "join" };

const CALL_MS = 5000;
const PEERS_AT_ONCE = 16;

export class Formation {
  readonly #deps: FormationDeps;
  /** Names that have the founding, or show that they need it no more. */
  readonly #handed = new Set<string>();

  constructor(deps: FormationDeps) {
    this.#deps = deps;
  }

  /** For a replica that belongs to no cluster: what it should do next. */
  async look(): Promise<FormationStep> {
    const { config } = this.#deps;
    const answers = await this.#ask();
    const existing = answers.filter(({ initialized }) => initialized);
    const first = existing[0];
    if (first !== undefined) {
      for (const { clusterId } of existing) checkCluster(config, clusterId);
      const mine = this.#deps.identity().replicaId;
      const isExpected = existing.some(({ members }) =>
        members.some(({ replicaId }) => toSafeNumber(replicaId) === mine),
      );
      if (!isExpected) return { kind: "join" };
      return { kind: "wait", state: "waiting to be handed the founding of the cluster" };
    }
    const count = answers.length + 1;
    const isFirst = config.peers.every((peer) => config.name <= peer.name);
    if (count < config.peers.length || !isFirst) {
      return { kind: "wait", state: `waiting for ${count} of ${config.peers.length} replicas` };
    }
    return { kind: "found", founding: this.#founding(answers) };
  }

  /** Hands the founding to founders that may not have it yet. True when nobody is left. */
  async hand(): Promise<boolean> {
    const { log } = this.#deps;
    const { clusterId, founders, groupIds, isFounder } = this.#deps.identity();
    if (!isFounder) return true;
    const left = this.#others().filter(({ name }) => !this.#handed.has(name));
    await mapBounded(left, PEERS_AT_ONCE, async (peer) => {
      const members = founders.map(plainMember);
      const request = { clusterId, members, groupIds: [...groupIds] };
      try {
        await this.#channel(peer).unary(MembershipService.method.bootstrap, request, {
          deadlineMs: CALL_MS,
        });
        this.#handed.add(peer.name);
      } catch (error) {
        const { code, message } = toStoreError(error);
        // It has another id by now: it will join.
        if (code === "conflict") this.#handed.add(peer.name);
        else log.debug("the founding was not handed over", { peer: peer.name, reason: message });
      }
    });
    return left.every(({ name }) => this.#handed.has(name));
  }

  /** Asks every replica to move this one on; answers of those that could be asked. */
  async join(): Promise<JoinResponse[]> {
    const { config, log } = this.#deps;
    const { replicaId, clusterId } = this.#deps.identity();
    const joiner = { replicaId: BigInt(replicaId), name: config.name, address: config.address };
    const answers: JoinResponse[] = [];
    for (const peer of this.#others()) {
      try {
        const answer = await this.#channel(peer).unary(
          MembershipService.method.join,
          { joiner, clusterId },
          { deadlineMs: CALL_MS },
        );
        checkCluster(config, answer.clusterId);
        answers.push(answer);
      } catch (error) {
        log.debug("join: no answer", { peer: peer.name, reason: toStoreError(error).message });
      }
    }
    return answers;
  }

  #founding(answers: readonly HelloResponse[]): Founding {
    const { config, random } = this.#deps;
    const founders: KnownMember[] = [
      { replicaId: this.#deps.identity().replicaId, name: config.name, address: config.address },
      ...answers.map(({ member }) => knownMember(present(member, "member"))),
    ];
    const names = new Set(founders.map(({ name }) => name));
    if (names.size !== config.peers.length) {
      throw new StoreError("conflict", "two replicas answer under one name");
    }
    const groupIds = [ROOT_GROUP];
    for (let at = 0; at < config.indexGroupCount; at += 1) groupIds.push(FIRST_INDEX_GROUP + at);
    const clusterId = config.clusterId === "" ? toHex(random.bytes(16)) : config.clusterId;
    return { clusterId, founders, groupIds };
  }

  async #ask(): Promise<HelloResponse[]> {
    const { config, log } = this.#deps;
    const { replicaId } = this.#deps.identity();
    const from = { replicaId: BigInt(replicaId), name: config.name, address: config.address };
    const answers: HelloResponse[] = [];
    await mapBounded(this.#others(), PEERS_AT_ONCE, async (peer) => {
      try {
        const answer = await this.#channel(peer).unary(
          MembershipService.method.hello,
          { from },
          { deadlineMs: CALL_MS },
        );
        if (answer.member?.name !== peer.name) {
          throw new StoreError("invalid", `${answer.member?.name} answers at ${peer.address}`);
        }
        answers.push(answer);
      } catch (error) {
        log.debug("hello: no answer", { peer: peer.name, reason: toStoreError(error).message });
      }
    });
    return answers;
  }

  #others(): Peer[] {
    const { config } = this.#deps;
    return config.peers.filter(({ name }) => name !== config.name);
  }

  #channel(peer: Peer) {
    return this.#deps.transport.channel(peer.address);
  }
}
