// The health check of the image: exit code 0 when the process of this container can serve. Every
// role answers on the operations port; a local cluster (`dolium dev`) on the S3 port alone.
import process from "node:process";

const TIMEOUT_MS = 4000;

/** Undefined when nobody answers there. */
async function isReady(url: string): Promise<boolean | undefined> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) })).ok;
  } catch {
    return undefined;
  }
}

const { DOLIUM_OPS__PORT: ops = "9003", DOLIUM_S3__PORT: s3 = "9000" } = process.env;
const ready =
  (await isReady(`http://127.0.0.1:${ops}/health/ready`)) ??
  (await isReady(`http://127.0.0.1:${s3}/minio/health/ready`));
process.exitCode = ready === true ? 0 : 1;
