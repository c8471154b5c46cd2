// Internal certificates for tests, made as an operator makes them, in a temporary folder.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { issue } from "../../services/cli/certs/authority.ts";
import { completeFolder } from "../../services/cli/certs/certificate-folder.ts";
import { InternalTls } from "../../services/lib/host/internal-tls.ts";
import type { Log } from "../../services/lib/ports/log.ts";
import { createRecordingLog } from "../unit/host/recording-log.ts";

/** Files are looked at when a test says so. */
const NEVER_MS = 2_000_000_000;

export class ClusterCertificates {
  readonly folder: string;
  readonly #opened: InternalTls[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** `nodes`: "metadata/metadata-1"; gateway, keeper and admin are there anyway. */
  static async make(nodes: readonly string[], cluster = "test"): Promise<ClusterCertificates> {
    const made = new ClusterCertificates(mkdtempSync(join(tmpdir(), "dolium-certs-")));
    await completeFolder(made.folder, { cluster, nodes, hosts: [], days: 30 });
    return made;
  }

  /** Certificates of another cluster name, signed by the same authority. */
  static async sharingAuthority(
    { folder }: ClusterCertificates,
    cluster: string,
    nodes: readonly string[],
  ): Promise<ClusterCertificates> {
    const made = await ClusterCertificates.make(nodes, cluster);
    const authority = {
      certificate: readFileSync(join(folder, "ca.crt"), "utf8"),
      key: readFileSync(join(folder, "ca.key"), "utf8"),
    };
    const holders = [...nodes, "gateway/gateway", "keeper/keeper", "admin/admin"];
    for (const holder of holders) {
      const name = holder.replace(/^.*\//, "");
      const names = [`dolium://${cluster}/${holder}`];
      const wanted = { subject: name, names, use: "both", days: 30 } as const;
      const key = readFileSync(made.path(`${name}.key`), "utf8");
      writeFileSync(made.path(`${name}.crt`), await issue(key, wanted, authority));
    }
    writeFileSync(made.path("ca.crt"), authority.certificate);
    return made;
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  /** What the process of that name uses; `ca`: a file of authorities from elsewhere. */
  tls(name: string, { log = createRecordingLog(), ca = "" }: TlsOptions = {}): InternalTls {
    const tls = new InternalTls(
      {
        caFile: ca === "" ? this.path("ca.crt") : ca,
        certificateFile: this.path(`${name}.crt`),
        keyFile: this.path(`${name}.key`),
        reloadMs: NEVER_MS,
      },
      log,
    );
    this.#opened.push(tls);
    return tls;
  }

  remove(): void {
    for (const tls of this.#opened) tls.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

interface TlsOptions {
  readonly log?: Log;
  readonly ca?: string;
}
