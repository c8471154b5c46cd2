// Asking web servers: the answer whole, within its bounds, and never from an address that only we
// can reach where that was forbidden (SSRF, security case 34).
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { after, before, test } from "node:test";
import { createWebClient } from "../../../services/lib/host/web-client.ts";
import type { WebRequest } from "../../../services/lib/ports/web.ts";

let server: Server;
let port: number;
let requests = 0;

before(async () => {
  server = createServer((request, response) => {
    requests += 1;
    if (request.url === "/never") return;
    if (request.url === "/away") {
      response.writeHead(302, { Location: "/" }).end();
      return;
    }
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const body = Buffer.concat(pieces);
      response.end(request.url === "/large" ? Buffer.alloc(100_000) : `${request.method} ${body}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const address = server.address();
  port = typeof address === "object" ? (address?.port ?? 0) : 0;
});
after(async () => {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

const client = createWebClient();

function asked(changes: Partial<WebRequest> = {}): WebRequest {
  return {
    ...{ url: `http://127.0.0.1:${port}/`, method: "GET", headers: {} },
    ...{ deadlineMs: 30_000, bytesMax: 10_000, publicOnly: false },
    ...changes,
  };
}

test("gets and posts, and gives the answer whatever its status", async () => {
  const got = await client.fetch(asked());
  assert.deepEqual([got.status, Buffer.from(got.body).toString()], [200, "GET "]);
  const posted = await client.fetch(asked({ method: "POST", body: "a=b" }));
  assert.equal(Buffer.from(posted.body).toString(), "POST a=b");
  const url = `http://127.0.0.1:${port}/away`;
  assert.equal((await client.fetch(asked({ url }))).status, 302, "redirects are not followed");
});

test("answers that are too long, too late, or from nobody are failures", async () => {
  const base = `http://127.0.0.1:${port}`;
  const large = client.fetch(asked({ url: `${base}/large` }));
  await assert.rejects(large, { code: "unavailable" });
  const never = client.fetch(asked({ url: `${base}/never`, deadlineMs: 200 }));
  await assert.rejects(never, { code: "timeout" });
  await assert.rejects(client.fetch(asked({ url: "http://127.0.0.1:1/" })), {
    code: "unavailable",
  });
  const given = AbortSignal.abort();
  await assert.rejects(client.fetch(asked({ signal: given })), { code: "aborted" });
  for (const url of ["file:///etc/passwd", "gopher://x", "no url", ""]) {
    await assert.rejects(client.fetch(asked({ url })), { code: "invalid" }, url);
  }
});

test("(34) CVE-2021-21287 where only public addresses are allowed, others are refused before a request", async () => {
  const before = requests;
  for (const host of [
    ...["127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "169.254.169.254", "192.168.1.1"],
    ...[
      "172.16.0.1",
      "100.64.0.1",
      "[::1]",
      "[::]",
      "[fe80::1]",
      "[fd00::1]",
      "[::ffff:127.0.0.1]",
    ],
    ...["localhost", "2130706433", "0x7f.1", "[64:ff9b::7f00:1]"],
  ]) {
    const url = `http://${host}:${port}/`;
    await assert.rejects(client.fetch(asked({ url, publicOnly: true })), { code: "denied" }, host);
  }
  assert.equal(requests, before, "nothing arrived");
});
