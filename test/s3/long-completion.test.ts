// CompleteMultipartUpload that takes long: white space keeps the connection alive, errors come in
// the body then, few run at a time, 10,000 parts are one command, and parts without entity tag pass
// where the setting says so (client rows A21, C15, C18).
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { S3Settings } from "../../services/gateway/config.ts";
import type { MetadataAccess } from "../../services/gateway/dependencies.ts";
import { deferred } from "../../services/lib/base/bounded.ts";
import { ROOT_USER, startGatewayOver } from "../unit/gateway/memory-gateway.ts";
import { type Answer, Caller, pathOf, textAt, toAnswer } from "./caller.ts";
import { makeBucket } from "./harness.ts";
import { StateMetadata } from "./state-metadata.ts";

interface Slow {
  readonly s3: Caller;
  readonly bucket: string;
  readonly endpoint: string;
  /** Completions wait until this resolves. */
  release(): void;
  /** How many completions have arrived. */
  arrived(): number;
  stop(): Promise<void>;
}

/** A gateway whose metadata service holds completions back. */
async function startSlow(changes: Partial<S3Settings>): Promise<Slow> {
  const metadata = await StateMetadata.open();
  const gate = deferred<void>();
  let count = 0;
  const slow: MetadataAccess = {
    execute: async (groupId, kind, options) => {
      if (kind.case === "completeUpload") {
        count += 1;
        await gate.promise;
      }
      return metadata.execute(groupId, kind, options);
    },
    query: (groupId, kind) => metadata.query(groupId, kind),
  };
  const gateway = await startGatewayOver(slow, changes);
  const endpoint = `http://${gateway.running.address}`;
  const { accessKeyId, secret } = ROOT_USER;
  const s3 = new Caller({ endpoint, accessKeyId, secretAccessKey: secret, region: "us-east-1" });
  return {
    s3,
    bucket: await makeBucket(s3),
    endpoint,
    release: () => gate.resolve(),
    arrived: () => count,
    stop: async () => {
      await gateway.stop();
      await metadata.close();
    },
  };
}

async function begin({ s3, bucket }: Slow, key: string): Promise<string> {
  const target = pathOf(bucket, key);
  const created = await s3.call({ method: "POST", target: `${target}?uploads` });
  return textAt(created.xml(), "UploadId") ?? "";
}

async function upload(slow: Slow, place: { key: string; id: string }, number: number) {
  const target = `${pathOf(slow.bucket, place.key)}?partNumber=${number}&uploadId=${place.id}`;
  const part = await slow.s3.call({ method: "PUT", target, body: "part" });
  return part.headers.get("etag") ?? "";
}

function documentOf(parts: readonly (readonly [number, string])[]): string {
  const rows = parts.map(
    ([number, etag]) =>
      `<Part><PartNumber>${number}</PartNumber>${etag === "" ? "" : `<ETag>${etag}</ETag>`}</Part>`,
  );
  return `<CompleteMultipartUpload>${rows.join("")}</CompleteMultipartUpload>`;
}

function complete({ s3, bucket }: Slow, place: { key: string; id: string }, body: string) {
  const target = `${pathOf(bucket, place.key)}?uploadId=${place.id}`;
  return s3.call({ method: "POST", target, body });
}

/** A completion through a client that knows chunked bodies; tells of the first bytes. */
async function completeStreamed(
  slow: Slow,
  place: { key: string; id: string },
  body: string,
): Promise<{ response: Response; first: string; rest: () => Promise<string> }> {
  const target = `${pathOf(slow.bucket, place.key)}?uploadId=${place.id}`;
  const url = slow.s3.presign({ method: "POST", target });
  const response = await fetch(slow.endpoint + url, { method: "POST", body });
  assert.ok(response.body);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const first = (await reader.read()).value ?? "";
  return {
    response,
    first,
    rest: async () => {
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return text;
        text += value;
      }
    },
  };
}

test("white space goes out while a completion runs, and then its document", async () => {
  const slow = await startSlow({ completeKeepAliveMs: 50 });
  try {
    const place = { key: "late", id: await begin(slow, "late") };
    const etag = await upload(slow, place, 1);
    const late = await completeStreamed(slow, place, documentOf([[1, etag]]));
    assert.equal(late.response.status, 200);
    assert.equal(late.response.headers.get("content-type"), "application/xml");
    assert.match(late.first, /^<\?xml[^>]*\?>\s*$/);
    slow.release();
    const rest = await late.rest();
    assert.match(rest, /^\s*<CompleteMultipartUploadResult/);
    assert.equal((await slow.s3.get(slow.bucket, "late")).text, "part");
  } finally {
    slow.release();
    await slow.stop();
  }
});

test("a late failure is an error document under the status that went out before", async () => {
  const slow = await startSlow({ completeKeepAliveMs: 50 });
  try {
    const place = { key: "gone", id: await begin(slow, "gone") };
    const etag = await upload(slow, place, 1);
    const late = await completeStreamed(slow, place, documentOf([[1, etag]]));
    const target = `${pathOf(slow.bucket, "gone")}?uploadId=${place.id}`;
    assert.equal((await slow.s3.call({ method: "DELETE", target })).status, 204);
    slow.release();
    const text = late.first + (await late.rest());
    assert.equal(late.response.status, 200);
    assert.match(text, /<Error><Code>NoSuchUpload<\/Code>/);
    const answer = toAnswer({
      status: 200,
      headers: new Map(),
      body: Buffer.from(text),
      text,
      interim: [],
      isWhole: true,
    });
    assert.equal(textAt(answer.xml(), "Code"), "NoSuchUpload");
  } finally {
    slow.release();
    await slow.stop();
  }
});

test("an early failure keeps its status", async () => {
  const slow = await startSlow({ completeKeepAliveMs: 10_000 });
  try {
    slow.release();
    const place = { key: "early", id: await begin(slow, "early") };
    await upload(slow, place, 1);
    const refused = await complete(slow, place, documentOf([[1, "0".repeat(32)]]));
    assert.equal(refused.status, 400);
    assert.equal(refused.code, "InvalidPart");
  } finally {
    await slow.stop();
  }
});

test("only so many completions run at a time; the others wait and are kept alive", async () => {
  const slow = await startSlow({ completeKeepAliveMs: 50, completionsMax: 1 });
  try {
    const places: { key: string; id: string; etag: string }[] = [];
    for (const key of ["one", "two"]) {
      const id = await begin(slow, key);
      places.push({ key, id, etag: await upload(slow, { key, id }, 1) });
    }
    const late = await Promise.all(
      places.map((place) => completeStreamed(slow, place, documentOf([[1, place.etag]]))),
    );
    assert.equal(slow.arrived(), 1);
    slow.release();
    for (const one of late) assert.match(await one.rest(), /CompleteMultipartUploadResult/);
    assert.equal(slow.arrived(), 2);
  } finally {
    slow.release();
    await slow.stop();
  }
});

test("parts without entity tag are refused, unless the setting lets them pass", async () => {
  for (const partsWithoutEtag of [false, true]) {
    const slow = await startSlow({
      lenient: { partsWithoutEtag, unknownGrantees: false, impliedFolders: false },
    });
    try {
      slow.release();
      const place = { key: "lenient", id: await begin(slow, "lenient") };
      await upload(slow, place, 1);
      const answer: Answer = await complete(slow, place, documentOf([[1, ""]]));
      assert.equal(answer.status, partsWithoutEtag ? 200 : 400, answer.text);
      if (!partsWithoutEtag) assert.equal(answer.code, "InvalidPart");
    } finally {
      await slow.stop();
    }
  }
});

test("10,000 parts are fetched in pages and become one object", async () => {
  const slow = await startSlow({});
  try {
    slow.release();
    const place = { key: "many", id: await begin(slow, "many") };
    const numbers = Array.from({ length: 10_000 }, (_, index) => index + 1);
    const etag = createHash("md5").update("part").digest("hex");
    // Too small for S3 but for the last: what is refused was looked at to the end of the list.
    await upload(slow, place, 10_000);
    const missing = await complete(
      slow,
      place,
      documentOf(numbers.map((number) => [number, etag])),
    );
    assert.equal(missing.code, "InvalidPart");
    assert.equal(textAt(missing.xml(), "PartNumber"), "1");
    const one = await complete(slow, place, documentOf([[10_000, etag]]));
    assert.equal(one.status, 200, one.text);
  } finally {
    await slow.stop();
  }
});
