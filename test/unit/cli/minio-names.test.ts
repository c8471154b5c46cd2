// MinIO's command line and variables mean here what they mean there.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  expandDirectories,
  listenAddress,
  minioNotice,
  withMinioSettings,
} from "../../../services/cli/minio-names.ts";

test("ellipses name directories, several multiply, zeros stay", () => {
  assert.deepEqual(expandDirectories(["/data"]), ["/data"]);
  assert.deepEqual(expandDirectories(["/d{1...3}"]), ["/d1", "/d2", "/d3"]);
  assert.deepEqual(expandDirectories(["/d{09...11}/x"]), ["/d09/x", "/d10/x", "/d11/x"]);
  assert.deepEqual(expandDirectories(["/a{1...2}/b{1...2}", "/c"]), [
    "/a1/b1",
    "/a1/b2",
    "/a2/b1",
    "/a2/b2",
    "/c",
  ]);
});

test("ranges that are none, too many directories and other machines are refused", () => {
  assert.throws(() => expandDirectories(["/d{4...1}"]), /\{4\.\.\.1\} is no range/);
  assert.throws(() => expandDirectories(["/d{1...999}"]), /no range of 1 to 256/);
  assert.throws(() => expandDirectories(["/d{1...20}/e{1...20}"]), /400 directories/);
  assert.throws(
    () => expandDirectories(["http://node{1...4}/data"]),
    /names another machine.*docs\/deploy\.md/,
  );
});

test("addresses have a port, and a host if they like", () => {
  assert.deepEqual(listenAddress("address", ":9000"), { host: "", port: 9000 });
  assert.deepEqual(listenAddress("address", "127.0.0.1:80"), { host: "127.0.0.1", port: 80 });
  assert.deepEqual(listenAddress("address", "[::1]:80"), { host: "::1", port: 80 });
  for (const text of ["9000", ":", ":70000", "a b:1", "::1:80"]) {
    assert.throws(() => listenAddress("console-address", text), /--console-address wants/);
  }
});

test("variables of MinIO's count where ours are not set, and are told", () => {
  const minio = { MINIO_REGION: "eu-1", MINIO_DOMAIN: "s3.example.org", HOME: "/" };
  const settings = withMinioSettings(minio);
  assert.equal(settings.DOLIUM_S3__REGION, "eu-1");
  assert.equal(settings.DOLIUM_S3__DOMAINS, "s3.example.org");
  assert.equal(settings.HOME, "/");
  const both = withMinioSettings({ ...minio, DOLIUM_S3__REGION: "ours" });
  assert.equal(both.DOLIUM_S3__REGION, "ours");
  assert.equal(minioNotice({ MINIO_REGION: "" }), undefined);
  assert.match(minioNotice({ ...minio, MINIO_ROOT_USER: "x" }) ?? "", /MINIO_REGION.*ROOT_USER/);
});
