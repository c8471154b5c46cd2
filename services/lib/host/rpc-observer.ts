// Lets others watch the calls that this process makes, without the transports knowing what for:
// metrics and traces. A call is told to have ended once, when its answer is whole, it failed, or
// its caller gave it up. It wraps the raw call, so that both transports are watched alike.
import type { DescMethod } from "@bufbuild/protobuf";
import { type ErrorCode, isStoreError } from "../base/errors.ts";
import type { CallOptions } from "../ports/transport.ts";
import type { Frame } from "./passed-message.ts";
import type { RawCall, StartCall } from "./rpc-channel.ts";

export interface CallOutcome {
  readonly code: "ok" | "cancelled" | ErrorCode;
  /** Bytes of messages. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

export interface CallObserver {
  /** A call begins; must not throw. `ended` is called once. */
  begin(call: {
    readonly address: string;
    readonly method: DescMethod;
    readonly options: CallOptions;
  }): {
    /** What the call is made with instead. */
    readonly options?: CallOptions;
    readonly ended: (outcome: CallOutcome) => void;
  };
}

type Ended = (outcome: CallOutcome) => void;

/** `start`, watched by each of `observers`; as it is without any. */
export function observedCalls(
  address: string,
  observers: readonly CallObserver[],
  start: StartCall,
): StartCall {
  if (observers.length === 0) return start;
  return (method, given) => {
    let options = given;
    const ended = observers.map((observer): Ended => {
      const begun = observer.begin({ address, method, options });
      options = begun.options ?? options;
      return begun.ended;
    });
    const tell = (outcome: CallOutcome): void => {
      for (const one of ended) one(outcome);
    };
    try {
      return new ObservedCall(start(method, options), tell);
    } catch (error) {
      tell({ code: codeOf(error), sentBytes: 0, receivedBytes: 0 });
      throw error;
    }
  };
}

class ObservedCall implements RawCall {
  readonly #call: RawCall;
  readonly #ended: Ended;
  #sentBytes = 0;
  #receivedBytes = 0;
  #isOver = false;
  readonly pass?: NonNullable<RawCall["pass"]>;

  constructor(call: RawCall, ended: Ended) {
    this.#call = call;
    this.#ended = ended;
    const { pass } = call;
    if (pass === undefined) return;
    this.pass = (message) => this.#sending(message.byteLength, () => pass(message));
  }

  send(bytes: Uint8Array): Promise<void> {
    return this.#sending(bytes.byteLength, () => this.#call.send(bytes));
  }

  async #sending(byteLength: number, send: () => Promise<void>): Promise<void> {
    this.#sentBytes += byteLength;
    try {
      await send();
    } catch (error) {
      this.#over(codeOf(error));
      throw error;
    }
  }

  end(): void {
    this.#call.end();
  }

  async read(): Promise<Frame | undefined> {
    try {
      const bytes = await this.#call.read();
      if (bytes === undefined) this.#over("ok");
      else this.#receivedBytes += bytes.byteLength;
      return bytes;
    } catch (error) {
      this.#over(codeOf(error));
      throw error;
    }
  }

  cancel(): void {
    this.#over("cancelled");
    this.#call.cancel();
  }

  #over(code: CallOutcome["code"]): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ended({ code, sentBytes: this.#sentBytes, receivedBytes: this.#receivedBytes });
  }
}

function codeOf(error: unknown): ErrorCode {
  return isStoreError(error) ? error.code : "internal";
}
