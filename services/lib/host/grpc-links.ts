// The HTTP/2 connections to one address, used in turn. They can be exchanged for new ones while
// calls run: later calls take the new ones, and each former one closes with its last call.
import { type ChannelCredentials, type ChannelOptions, Channel as Link } from "@grpc/grpc-js";
import { present } from "../base/assert.ts";
import { type GrpcCallOptions, startGrpcCall } from "./grpc-call.ts";
import type { RawCall } from "./rpc-channel.ts";

export interface GrpcLinksOptions {
  readonly address: string;
  readonly count: number;
  /** Asked for at every exchange. */
  readonly credentials: () => ChannelCredentials;
  readonly channelOptions: ChannelOptions;
}

interface Counted {
  readonly link: Link;
  running: number;
  isFormer: boolean;
}

export class GrpcLinks {
  readonly #options: GrpcLinksOptions;
  readonly #former = new Set<Counted>();
  #links: readonly Counted[];
  #turn = 0;

  constructor(options: GrpcLinksOptions) {
    this.#options = options;
    this.#links = this.#open();
  }

  start(how: Omit<GrpcCallOptions, "ended">): RawCall {
    this.#turn = (this.#turn + 1) % this.#links.length;
    const counted = present(this.#links[this.#turn], "connection");
    counted.running += 1;
    return startGrpcCall(counted.link, { ...how, ended: () => this.#ended(counted) });
  }

  /** Later calls go over connections that are made now. */
  exchange(): void {
    const former = this.#links;
    this.#links = this.#open();
    for (const counted of former) {
      counted.isFormer = true;
      this.#former.add(counted);
      this.#closeIdle(counted);
    }
  }

  /** Lets running calls end. */
  close(): void {
    for (const { link } of [...this.#links, ...this.#former]) link.close();
    this.#former.clear();
  }

  #open(): Counted[] {
    const { address, count, credentials, channelOptions } = this.#options;
    const how = credentials();
    return Array.from({ length: count }, () => ({
      link: new Link(address, how, channelOptions),
      running: 0,
      isFormer: false,
    }));
  }

  #ended(counted: Counted): void {
    counted.running -= 1;
    this.#closeIdle(counted);
  }

  #closeIdle(counted: Counted): void {
    if (!counted.isFormer || counted.running > 0) return;
    if (this.#former.delete(counted)) counted.link.close();
  }
}
