// ListObjects and ListObjectsV2: order, prefixes, delimiters, pages, encoding, empty pages.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { XmlElement } from "../../services/lib/s3/xml-reader.ts";
import { Caller, textAt, textsOf } from "./caller.ts";
import { makeBucket, startCluster, type TestCluster } from "./harness.ts";

const KEYS = [
  "a",
  "a/",
  "a/b",
  "a/c/d",
  "b",
  "photos/2024/1.jpg",
  "photos/2024/2.jpg",
  "photos/2025/1.jpg",
  "z",
  "ä",
  "\uffee",
  "\u{1f600}",
];

let cluster: TestCluster;
let s3: Caller;
let bucket: string;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
  bucket = await makeBucket(s3);
  for (const key of KEYS.toReversed()) assert.equal((await s3.put(bucket, key, key)).status, 200);
});
after(() => cluster.stop());

async function list(query: string): Promise<XmlElement> {
  const answer = await s3.call({ target: `/${bucket}?${query}` });
  assert.equal(answer.status, 200, answer.text);
  return answer.xml();
}

function keys(document: XmlElement): string[] {
  return textsOf(document, "Contents", "Key");
}

function prefixes(document: XmlElement): string[] {
  return textsOf(document, "CommonPrefixes", "Prefix");
}

test("lists keys in the order of their UTF-8 bytes", async () => {
  for (const query of ["", "list-type=2"]) assert.deepEqual(keys(await list(query)), KEYS);
});

test("describes each object", async () => {
  const document = await list("list-type=2&prefix=photos/2024/1");
  const [entry] = document.children.filter(({ name }) => name === "Contents");
  assert.ok(entry !== undefined);
  assert.equal(textAt(entry, "Size"), "17");
  assert.equal(textAt(entry, "StorageClass"), "STANDARD");
  assert.match(textAt(entry, "ETag") ?? "", /^"[0-9a-f]{32}"$/);
  assert.match(textAt(entry, "LastModified") ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal(textAt(entry, "Owner"), undefined);
  const owned = await list("list-type=2&fetch-owner=true&prefix=a");
  assert.ok(textAt(owned, "Contents", "Owner", "ID"));
  assert.ok(textAt(await list("prefix=a"), "Contents", "Owner", "ID"));
});

test("groups by delimiter", async () => {
  const root = await list("list-type=2&delimiter=/");
  assert.deepEqual(keys(root), ["a", "b", "z", "ä", "\uffee", "\u{1f600}"]);
  assert.deepEqual(prefixes(root), ["a/", "photos/"]);
  assert.equal(textAt(root, "KeyCount"), "8");
  const photos = await list("list-type=2&delimiter=/&prefix=photos/");
  assert.deepEqual(prefixes(photos), ["photos/2024/", "photos/2025/"]);
  assert.deepEqual(keys(photos), []);
  const inside = await list("delimiter=/&prefix=a/");
  assert.deepEqual(keys(inside), ["a/", "a/b"]);
  assert.deepEqual(prefixes(inside), ["a/c/"]);
  const long = await list("delimiter=2024/&prefix=photos/");
  assert.deepEqual(prefixes(long), ["photos/2024/"]);
});

for (const size of [1, 2, 3, 5, 12, 1000]) {
  test(`pages of ${size} miss and repeat nothing`, async () => {
    for (const delimiter of ["", "&delimiter=/"]) {
      const whole = await list(`list-type=2${delimiter}`);
      const found: string[] = [];
      let token: string | undefined;
      do {
        const more = token === undefined ? "" : `&continuation-token=${encodeURIComponent(token)}`;
        const page = await list(`list-type=2&max-keys=${size}${delimiter}${more}`);
        const count = keys(page).length + prefixes(page).length;
        assert.ok(count <= size);
        assert.equal(textAt(page, "KeyCount"), String(count));
        assert.equal(textAt(page, "MaxKeys"), String(size));
        token = textAt(page, "NextContinuationToken");
        assert.equal(textAt(page, "IsTruncated"), String(token !== undefined));
        found.push(...keys(page), ...prefixes(page));
      } while (token !== undefined);
      assert.deepEqual(found.toSorted(), [...keys(whole), ...prefixes(whole)].toSorted());
    }
  });
}

test("pages version 1 by marker", async () => {
  const found: string[] = [];
  let marker = "";
  for (;;) {
    const page = await list(`max-keys=5&marker=${encodeURIComponent(marker)}`);
    found.push(...keys(page));
    assert.equal(textAt(page, "NextMarker"), undefined);
    if (textAt(page, "IsTruncated") === "false") break;
    marker = found.at(-1) ?? "";
  }
  assert.deepEqual(found, KEYS);
  const first = await list("max-keys=2&delimiter=/");
  assert.equal(textAt(first, "NextMarker"), "a/");
  const second = await list("max-keys=2&delimiter=/&marker=a/");
  assert.deepEqual([...keys(second), ...prefixes(second)], ["b", "photos/"]);
});

test("starts after a key, and after a common prefix", async () => {
  assert.deepEqual(keys(await list("list-type=2&start-after=photos/2025")).slice(0, 2), [
    "photos/2025/1.jpg",
    "z",
  ]);
  const page = await list("list-type=2&delimiter=/&start-after=photos/");
  assert.deepEqual(prefixes(page), []);
  assert.deepEqual(keys(page)[0], "z");
});

test("answers an empty page to max-keys=0", async () => {
  for (const query of ["max-keys=0", "list-type=2&max-keys=0"]) {
    const page = await list(query);
    assert.equal(textAt(page, "IsTruncated"), "false");
    assert.deepEqual(keys(page), []);
  }
});

test("refuses parameters that make no sense", async () => {
  for (const query of [
    "max-keys=-1",
    "max-keys=x",
    "max-keys=1e3",
    "encoding-type=base64",
    "list-type=2&continuation-token=nonsense",
    "list-type=2&fetch-owner=maybe",
  ]) {
    const answer = await s3.call({ target: `/${bucket}?${query}` });
    assert.equal(answer.status, 400, query);
    assert.equal(answer.code, "InvalidArgument", query);
  }
  assert.equal((await s3.call({ target: "/no-such-bucket-here" })).code, "NoSuchBucket");
});

test("encodes keys that XML cannot carry", async () => {
  const odd = await makeBucket(s3);
  const key = "control\u0001 and space+plus/\u000b";
  assert.equal((await s3.put(odd, key, "x")).status, 200);
  const answer = await s3.call({ target: `/${odd}?list-type=2&encoding-type=url` });
  const document = answer.xml();
  assert.equal(textAt(document, "EncodingType"), "url");
  const [encoded = ""] = keys(document);
  assert.equal(decodeURIComponent(encoded.replaceAll("+", " ")), key);
});
