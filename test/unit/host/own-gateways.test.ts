// Exchanges with gateways of one's own cluster over TLS: the very certificate of the file counts
// under any name, and nothing else does that the system would not trust.
import assert from "node:assert/strict";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { createHttpExchanger } from "../../../services/lib/host/http-exchange.ts";
import type { HttpExchanger } from "../../../services/lib/ports/http-exchange.ts";
import { type CertificateFiles, Certificates } from "./certificates.ts";
import { createRecordingLog, type RecordingLog } from "./recording-log.ts";

let certificates: Certificates;
before(async () => {
  certificates = await Certificates.make();
});
after(() => certificates.remove());

async function serve(context: TestContext, files: CertificateFiles): Promise<string> {
  const [cert, key] = await Promise.all([readFile(files.certificate), readFile(files.key)]);
  const server = createServer({ cert, key }, (_request, response) => response.end("here"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function exchangerFor(
  context: TestContext,
  origins: readonly string[],
  certificateFile: string,
): { readonly exchanger: HttpExchanger; readonly log: RecordingLog } {
  const log = createRecordingLog();
  const own = { origins, certificateFile, reloadMs: 0, log };
  const exchanger = createHttpExchanger({ own });
  context.after(() => exchanger.close());
  return { exchanger, log };
}

async function ask(exchanger: HttpExchanger, origin: string): Promise<string> {
  const request = { method: "GET", origin, target: "/", headers: {}, idleMs: 30_000 };
  const answer = await exchanger.exchange(request);
  let text = "";
  for await (const view of answer.body) text += Buffer.from(view).toString("utf8");
  return text;
}

const REFUSED = { name: "StoreError", code: "unavailable" };

test("a certificate of the file counts, self-signed or issued, by an address it does not name", async (context) => {
  for (const files of [
    await certificates.selfSigned("alone"),
    await certificates.issue("issued", ["DNS:s3.example.test"]),
  ]) {
    const origin = await serve(context, files);
    const { exchanger } = exchangerFor(context, [`${origin}/`], files.certificate);
    assert.equal(await ask(exchanger, origin), "here");
    const stranger = exchangerFor(context, [], files.certificate).exchanger;
    await assert.rejects(ask(stranger, origin), REFUSED, "not one of the gateways");
  }
});

test("another certificate is refused, also one that the file's authority has signed", async (context) => {
  const own = await certificates.issue("own", ["DNS:s3.example.test"]);
  const other = await certificates.issue("other", ["DNS:s3.example.test"]);
  const origin = await serve(context, other);
  await assert.rejects(
    ask(exchangerFor(context, [origin], own.certificate).exchanger, origin),
    REFUSED,
  );
  // With the authority in the file the chain holds, and names are what is checked.
  const chained = join(certificates.folder, "chained.crt");
  const parts = await Promise.all(
    [own.certificate, certificates.authority].map((path) => readFile(path, "utf8")),
  );
  await writeFile(chained, parts.join("\n"));
  await assert.rejects(ask(exchangerFor(context, [origin], chained).exchanger, origin), REFUSED);
  const named = await certificates.issue("named", ["IP:127.0.0.1"]);
  const second = await serve(context, named);
  assert.equal(await ask(exchangerFor(context, [second], chained).exchanger, second), "here");
});

test("a changed file counts; one that cannot be read changes nothing, and is told", async (context) => {
  const [first, second] = [
    await certificates.selfSigned("first"),
    await certificates.selfSigned("second"),
  ];
  const file = join(certificates.folder, "current.crt");
  await copyFile(first.certificate, file);
  const [old, renewed] = [await serve(context, first), await serve(context, second)];
  const { exchanger, log } = exchangerFor(context, [old, renewed], file);
  assert.equal(await ask(exchanger, old), "here");
  await assert.rejects(ask(exchanger, renewed), REFUSED);
  await copyFile(second.certificate, file);
  assert.equal(await ask(exchanger, renewed), "here");
  await writeFile(file, "no certificate");
  assert.equal(await ask(exchanger, renewed), "here");
  assert.ok(log.logged.some(({ message }) => message.includes("cannot be read")));
});
