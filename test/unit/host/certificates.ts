// Certificates for tests, made by the openssl program: an authority, and what it signs.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Paths of a certificate and its key. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export class Certificates {
  readonly folder: string;
  readonly #authority: CertificateFiles;

  private constructor(folder: string) {
    this.folder = folder;
    this.#authority = this.#files("authority");
  }

  static async make(): Promise<Certificates> {
    const made = new Certificates(await mkdtemp(join(tmpdir(), "dolium-certificates-")));
    const { certificate, key } = made.#authority;
    const own = ["-subj", "/CN=test authority", "-keyout", key, "-out", certificate];
    await run("openssl", ["req", "-x509", "-days", "2", ...EC, ...own]);
    return made;
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  /** PEM of the authority. */
  get authority(): string {
    return this.#authority.certificate;
  }

  /** `names`: alternative names, `DNS:localhost`. */
  async issue(file: string, names: readonly string[]): Promise<CertificateFiles> {
    const { certificate, key } = this.#files(file);
    const issuer = ["-CA", this.#authority.certificate, "-CAkey", this.#authority.key];
    await run("openssl", [
      ...["req", "-x509", "-days", "2", ...EC, ...issuer],
      ...["-subj", `/CN=${file}`, "-addext", `subjectAltName=${names.join(",")}`],
      ...["-addext", "basicConstraints=critical,CA:FALSE"],
      ...["-keyout", key, "-out", certificate],
    ]);
    return { certificate, key };
  }

  /** Signed by itself, as `openssl req -x509` makes them. */
  async selfSigned(file: string): Promise<CertificateFiles> {
    const { certificate, key } = this.#files(file);
    const own = ["-subj", `/CN=${file}`, "-keyout", key, "-out", certificate];
    await run("openssl", ["req", "-x509", "-days", "2", ...EC, ...own]);
    return { certificate, key };
  }

  #files(name: string): CertificateFiles {
    const path = join(this.folder, name);
    return { certificate: `${path}.crt`, key: `${path}.key` };
  }
}
