// The connection to gateways of one's own cluster that show the certificate of `s3.tls`. Guarantees
// that only what the system trusts, or whoever holds the key of the very certificate in the file,
// is spoken to: such a certificate counts whatever its names are, because a gateway of one's own is
// often reached by an address. Changed files count from the next look on, every `reloadMs`.
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent } from "node:https";
import { checkServerIdentity, getCACertificates, type PeerCertificate } from "node:tls";
import type { Log } from "../ports/log.ts";
import { SOCKETS_MAX } from "./http-agents.ts";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

export interface OwnGatewaysOptions {
  /** `https://host:port` of each; others are not concerned. */
  readonly origins: readonly string[];
  /** PEM of the certificate that they show, with its chain. */
  readonly certificateFile: string;
  readonly reloadMs: number;
  readonly log: Log;
}

export class OwnGateways {
  readonly #options: OwnGatewaysOptions;
  readonly #origins: ReadonlySet<string>;
  readonly #all: Agent[] = [];
  #agent: Agent | undefined;
  #text = "";
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(options: OwnGatewaysOptions) {
    this.#options = options;
    this.#origins = new Set(options.origins.map((origin) => origin.replace(/\/$/, "")));
  }

  /** For a connection to one of them; undefined: it is none, or no certificate can be read. */
  agentFor(origin: string): Agent | undefined {
    if (!this.#origins.has(origin)) return undefined;
    const nowMs = performance.now();
    if (nowMs - this.#lookedAt >= this.#options.reloadMs) {
      this.#lookedAt = nowMs;
      this.#look();
    }
    return this.#agent;
  }

  close(): void {
    for (const agent of this.#all) agent.destroy();
  }

  #look(): void {
    const { certificateFile, log } = this.#options;
    try {
      const text = readFileSync(certificateFile, "utf8");
      if (text === this.#text) return;
      this.#agent = agentTrusting(text);
      // The former one stays as long as something is under way on it.
      this.#all.push(this.#agent);
      this.#text = text;
    } catch (error) {
      const reason = String(error);
      log.warn("the certificate of the gateways cannot be read", { certificateFile, reason });
    }
  }
}

function agentTrusting(text: string): Agent {
  const chain = text.match(CERTIFICATE) ?? [];
  const own = new X509Certificate(text).fingerprint256;
  return new Agent({
    keepAlive: true,
    maxSockets: SOCKETS_MAX,
    ca: [...getCACertificates("default"), ...chain],
    // Its issuer is often not in the file.
    allowPartialTrustChain: true,
    checkServerIdentity: (host: string, certificate: PeerCertificate) =>
      certificate.fingerprint256 === own ? undefined : checkServerIdentity(host, certificate),
  });
}
