// When the certificates of a process end: its own as a metric, for alerts, and with them those of
// the peers it has met, for `dolium doctor`. Asked anew each time, since files change.
import type { MetricsRegistry } from "./metrics.ts";

export interface CertificateEnd {
  /** "internal", "s3", or whose it is: "metadata metadata-1". */
  readonly name: string;
  readonly endsMs: number;
}

type Source = () => readonly CertificateEnd[];

export class CertificateWatch {
  readonly #own: Source[] = [];
  readonly #peers: Source[] = [];

  constructor(metrics: MetricsRegistry) {
    const gauge = metrics.gauge("tls_certificate_expiry_timestamp_seconds", {
      help: "When the certificates that this process uses end.",
      labels: ["name"],
    });
    metrics.beforeExpose(() => {
      gauge.clear();
      for (const { name, endsMs } of endsOf(this.#own)) gauge.set(endsMs / 1000, { name });
    });
  }

  addOwn(source: Source): void {
    this.#own.push(source);
  }

  addPeers(source: Source): void {
    this.#peers.push(source);
  }

  /** The own ones first. */
  all(): CertificateEnd[] {
    return [...endsOf(this.#own), ...endsOf(this.#peers)];
  }
}

function endsOf(sources: readonly Source[]): CertificateEnd[] {
  return sources.flatMap((source) => source());
}
