// Small parts of the admin API: routes, spans, addresses that must not be open, files of the
// console.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AdminError } from "../../../services/gateway/admin/admin-error.ts";
import { AdminListener } from "../../../services/gateway/admin/admin-listener.ts";
import { AdminRouter } from "../../../services/gateway/admin/admin-router.ts";
import { consoleFile } from "../../../services/gateway/admin/console-files.ts";
import { lastOfArn } from "../../../services/gateway/admin/iam/query-protocol.ts";
import { expiryMs, spanMs } from "../../../services/gateway/admin/identity/expiry.ts";
import { ADMIN_OPERATIONS } from "../../../services/gateway/admin/operations.ts";
import { MemoryLog } from "./memory-gateway.ts";

const router = new AdminRouter(ADMIN_OPERATIONS);

function refusal(act: () => unknown): AdminError {
  try {
    act();
  } catch (error) {
    if (error instanceof AdminError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

test("routes are found by method and path, with decoded parameters", () => {
  const found = router.route("DELETE", "/users/alice_umich/keys/A%2FB");
  assert.equal(found.operation.name, "DeleteAccessKey");
  assert.deepEqual(found.parameters, { user: "alice_umich", key: "A/B" });
  assert.equal(router.route("GET", "/session").operation.name, "GetSession");
  assert.equal(router.route("GET", "/users/keys").parameters.user, "keys");
});

test("what is no route is refused with the reason", () => {
  assert.equal(refusal(() => router.route("GET", "/nowhere")).status, 404);
  assert.equal(refusal(() => router.route("GET", "/users/")).status, 404);
  assert.equal(refusal(() => router.route("PUT", "/users")).status, 405);
  assert.match(refusal(() => router.route("PUT", "/users")).message, /GET, POST/);
  assert.equal(refusal(() => router.route("GET", "/users/%ff")).status, 400);
  assert.equal(refusal(() => router.route("GET", `/users${"/a".repeat(50)}`)).status, 404);
});

test("spans and times of expiry", () => {
  assert.equal(spanMs("30d"), 30 * 86_400_000);
  assert.equal(spanMs("90m"), 5_400_000);
  for (const text of ["", "0d", "-1d", "1", "d", "1e3d", "1 d", "9999999w", "1y"]) {
    assert.equal(refusal(() => spanMs(text)).status, 400, text);
  }
  const now = Date.UTC(2026, 0, 1);
  assert.equal(expiryMs(null, now), 0n);
  assert.equal(expiryMs("12h", now), BigInt(now + 43_200_000));
  assert.equal(expiryMs("2026-02-01T00:00:00Z", now), BigInt(Date.UTC(2026, 1, 1)));
  for (const text of ["2025-12-31T00:00:00Z", "2026-13-01T00:00:00Z", "tomorrow"]) {
    assert.equal(refusal(() => expiryMs(text, now)).status, 400, text);
  }
});

test("names of ARNs are their last part", () => {
  assert.equal(lastOfArn("arn:aws:iam::000000000000:policy/team/reading"), "reading");
  assert.equal(lastOfArn("arn:aws:iam:::user/alice_umich"), "alice_umich");
  assert.equal(lastOfArn("alice_umich"), "alice_umich");
});

function listener(address: string, allowHttp = false): AdminListener {
  return new AdminListener({
    http: { serve: async () => undefined } as never,
    settings: { enabled: true, address, allowHttp, s3Endpoint: "" },
    tls: undefined,
    log: new MemoryLog(),
  });
}

test("plain HTTP stays on loopback unless it is allowed to leave it", async () => {
  for (const address of ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "host.example:0"]) {
    await assert.rejects(listener(address).listen(), /without TLS/, address);
  }
  await assert.rejects(listener("127.0.0.1:70000").listen(), /no port/);
  for (const [address, allowHttp] of [
    ["127.0.0.1:0", false],
    ["localhost:0", false],
    ["0.0.0.0:0", true],
  ] as const) {
    const admin = listener(address, allowHttp);
    await admin.listen();
    assert.match(admin.address ?? "", /:[1-9][0-9]*$/);
    await admin.close();
  }
});

test("a port that was asked for is not exchanged for another", async () => {
  const first = listener("127.0.0.1:0");
  await first.listen();
  await assert.rejects(listener(first.address ?? "").listen(), /EADDRINUSE/);
  await first.close();
});

test("files of the console are found by name, never by path", async () => {
  const asked: string[] = [];
  const files = {
    read: async (name: string): Promise<Uint8Array | undefined> => {
      asked.push(name);
      return name === "main-AB12.js" || name === "index.html" ? Buffer.from("x") : undefined;
    },
  };
  const script = await consoleFile(files, "main-AB12.js", []);
  const headers = new Map(script.headers);
  assert.match(headers.get("Cache-Control") ?? "", /immutable/);
  const page = await consoleFile(files, "", ["http://s3.example:9000"]);
  const policy = new Map(page.headers).get("Content-Security-Policy") ?? "";
  assert.match(policy, /default-src 'self'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.equal(/unsafe/.test(policy), false);
  asked.length = 0;
  const paths = [
    "../package.json",
    "..%2fx.js",
    "a/b.js",
    ".env",
    "/etc/passwd",
    "x.php",
    "a\\b.js",
  ];
  for (const path of paths) {
    await assert.rejects(consoleFile(files, path, []), /has no file/, path);
  }
  assert.deepEqual(asked, [], "no such name reaches the folder");
  const nothing = { read: async () => undefined };
  await assert.rejects(consoleFile(nothing, "", []), /not built/);
});
