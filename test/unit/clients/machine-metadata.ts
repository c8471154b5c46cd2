// The metadata service as clients see it, over real state machines in this process: one for the
// root group and one for each index group that is asked. It can fail, or hold answers back.
import type { TestContext } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Mutex } from "../../../services/lib/base/bounded.ts";
import { isStoreError, StoreError } from "../../../services/lib/base/errors.ts";
import type {
  CommandKind,
  ExecuteOptions,
  MetadataClient,
} from "../../../services/lib/clients/metadata-client.ts";
import {
  CommandSchema,
  type Reply,
} from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { commandFault } from "../../../services/metadata/state/validate.ts";
import { Machine } from "../metadata/harness.ts";

type Metadata = Pick<MetadataClient, "execute" | "query">;

export class MachineMetadata {
  readonly #test: TestContext;
  readonly #machines = new Map<number, Promise<Machine>>();
  readonly #running = new Set<Promise<unknown>>();
  /** Commands are applied one after another, as from a log. */
  readonly #log = new Mutex();
  /** Commands and queries so far, by what they ask. */
  readonly asked: string[] = [];
  /** Runs before each call; may throw or wait. */
  before: (what: string) => Promise<void> = async () => undefined;

  constructor(test: TestContext) {
    this.#test = test;
  }

  machine(groupId: number): Promise<Machine> {
    const known = this.#machines.get(groupId) ?? Machine.open(this.#test);
    this.#machines.set(groupId, known);
    return known;
  }

  get client(): Metadata {
    const client = {
      execute: (groupId: number, kind: CommandKind, options?: ExecuteOptions) =>
        this.#ran(kind.case, () => this.#execute(groupId, kind, options)),
      query: (groupId: number, kind: Parameters<Machine["query"]>[0]) =>
        this.#ran(kind.case, async () => (await this.machine(groupId)).query(kind)),
    };
    // A double of two methods: each answers what the real one would for that case.
    return client as unknown as Metadata;
  }

  down(): void {
    this.before = async () => {
      throw new StoreError("unavailable", "no leader");
    };
  }

  up(): void {
    this.before = async () => undefined;
  }

  /** Resolves when no call is under way. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) {
      await Promise.allSettled([...this.#running]);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #ran<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.asked.push(what);
    const running = this.before(what).then(work);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async #execute(groupId: number, kind: CommandKind, options?: ExecuteOptions): Promise<Reply> {
    // As the leader does before it proposes.
    const fault = commandFault(create(CommandSchema, { kind }));
    if (fault !== undefined) throw new StoreError("invalid", fault);
    const machine = await this.machine(groupId);
    return this.#log.run(() => machine.execute(kind, options?.commandId));
  }
}

/** For assert.rejects. */
export function refusedAs(code: Parameters<typeof isStoreError>[1], text = "") {
  return (error: unknown): boolean => isStoreError(error, code) && error.message.includes(text);
}
