// What the transports' conformance tests share: the echo service, waiting, and error checks.
import assert from "node:assert/strict";
import { type ErrorCode, isStoreError, StoreError } from "../../../services/lib/base/errors.ts";
import type {
  Channel,
  RpcServer,
  ServiceHandlers,
  Transport,
} from "../../../services/lib/ports/transport.ts";
import { type EchoRequest, EchoService } from "../../fixtures/gen/dolium/test/v1/echo_pb.ts";

export type Handlers = ServiceHandlers<typeof EchoService>;

export interface TransportHarness {
  createServer(secret?: string): RpcServer;
  createTransport(secret?: string): Transport;
  /** Messages logged by servers, newest last. */
  readonly logged: { message: string; error: unknown }[];
}

export interface Setting {
  readonly channel: Channel;
  readonly server: RpcServer;
  readonly address: string;
  readonly transport: Transport;
}

export const { echo, spread, gather, talk } = EchoService.method;
export const SOON = { deadlineMs: 10_000 };
export const MIB = 1024 * 1024;
/**
 * More than any transport may hold back for one stalled reader: windows, sockets, a message or two.
 */
export const IN_FLIGHT_MAX = 10;

export const coded = (code: ErrorCode) => (error: unknown) => {
  assert.ok(isStoreError(error), `not a StoreError: ${String(error)}`);
  assert.equal(error.code, code, error.message);
  return true;
};

/** Handlers that refuse, for tests that replace some of them. */
export function handlers(own: Partial<Handlers>): Handlers {
  const refuse = (): never => {
    throw new StoreError("invalid", "not part of this test");
  };
  return {
    echo: async (request: EchoRequest) => ({ text: request.text, payload: request.payload }),
    spread: refuse,
    gather: refuse,
    talk: refuse,
    ...own,
  };
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Waits, turn by turn, until `check` holds; the test's own time limit bounds it. */
export async function until(check: () => boolean): Promise<void> {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Resolves when `signal` fires. */
export function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

export type Check = (
  title: string,
  own: Partial<Handlers>,
  work: (setting: Setting, harness: TransportHarness) => Promise<void>,
) => void;
