// A certificate for `localhost` that nobody trusts, made by the openssl program.
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";

/** PEM of a key and its certificate; the folder they were made in goes after the test. */
export async function selfSigned(context: TestContext): Promise<{ key: string; cert: string }> {
  const folder = await mkdtemp(join(tmpdir(), "dolium-certificate-"));
  context.after(() => rm(folder, { recursive: true, force: true }));
  const key = join(folder, "key.pem");
  const cert = join(folder, "cert.pem");
  await promisify(execFile)("openssl", [
    ...["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"],
    ...["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"],
    ...["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
  ]);
  return { key: await readFile(key, "utf8"), cert: await readFile(cert, "utf8") };
}
