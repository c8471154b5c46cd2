// A thousand buckets in the root group: creating one, finding one, listing them all, the memory
// that they take. `node benchmarks/scale/buckets.ts [BUCKETS]`
import process from "node:process";
import { StateMetadata } from "../../test/s3/state-metadata.ts";
import { medianMs, printed, residentMib } from "./timing.ts";

const COUNT = Number(process.argv[2] ?? 1000);
const ROUNDS = 15;
const ROOT = 1;
const PAGE = 200;

const nameOf = (number: number): string => `bucket-${String(number).padStart(6, "0")}`;

async function createBucket(metadata: StateMetadata, number: number): Promise<void> {
  const value = { name: nameOf(number), owner: "ann_org" };
  const { message } = await metadata.execute(ROOT, { case: "createBucket", value });
  if (message !== "") throw new Error(message);
}

async function listAll(metadata: StateMetadata): Promise<number> {
  let found = 0;
  for (let afterName = ""; ; ) {
    const value = { owner: "", afterName, prefix: "", limit: PAGE };
    const page = await metadata.query(ROOT, { case: "listBuckets", value });
    found += page.buckets.length;
    afterName = page.buckets.at(-1)?.name ?? "";
    if (!page.truncated) return found;
  }
}

const metadata = await StateMetadata.open();
try {
  const before = residentMib();
  for (let number = 0; number < COUNT; number += 1) await createBucket(metadata, number);
  const grown = residentMib() - before;
  let next = COUNT;
  const createMs = await medianMs(ROUNDS, () => {
    next += 1;
    return createBucket(metadata, next);
  });
  const findMs = await medianMs(ROUNDS, async () => {
    for (let at = 0; at < 100; at += 1) {
      const value = { name: nameOf(Math.floor(Math.random() * COUNT)) };
      await metadata.query(ROOT, { case: "getBucket", value });
    }
  });
  const listMs = await medianMs(ROUNDS, async () => {
    if ((await listAll(metadata)) < COUNT) throw new Error("buckets are missing");
  });
  printed({
    buckets: COUNT,
    "create ms": createMs,
    "find us": findMs * 10,
    "list all ms": listMs,
    "MiB grown": grown,
  });
} finally {
  await metadata.close();
}
