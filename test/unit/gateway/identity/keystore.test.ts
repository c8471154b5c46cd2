// The key store's client: which addresses it takes, that questions about one key are one, and that
// neither questions under way nor answers kept grow without bound.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Keystore, type KeystoreSettings } from "../../../../services/gateway/identity/keystore.ts";
import { createClock } from "../../../../services/lib/host/clock.ts";
import type { WebAnswer, WebClient } from "../../../../services/lib/ports/web.ts";
import { MemoryLog, MemoryMetrics } from "../memory-gateway.ts";

const SETTINGS: KeystoreSettings = {
  ...{ url: "https://keys.example.org/s3/", allowHttp: false, timeoutMs: 1000 },
  ...{ rememberMs: 3_600_000, absentMs: 60_000 },
};
const ANSWER: WebAnswer = {
  status: 200,
  body: Buffer.from('{"secretKey":"hers","user":"alice_umich"}'),
};

function keystoreOver(
  web: WebClient,
  changes: Partial<KeystoreSettings> = {},
  metrics = new MemoryMetrics(),
): Keystore {
  const token = async (): Promise<string> => "";
  const ports = { clock: createClock(), log: new MemoryLog(), metrics };
  return new Keystore({ web, token, ...ports }, { ...SETTINGS, ...changes });
}

test("asks over TLS only, but on this machine or where it is told to", () => {
  const web: WebClient = { fetch: async () => ANSWER };
  for (const url of ["https://keys.example.org", "http://127.0.0.1:1/a", "http://[::1]:1"]) {
    keystoreOver(web, { url });
  }
  keystoreOver(web, { url: "http://localhost:8080/", allowHttp: false });
  keystoreOver(web, { url: "http://keys.example.org", allowHttp: true });
  for (const url of [
    ...["http://keys.example.org", "http://10.0.0.1", "ftp://127.0.0.1", "keys.example.org", "x"],
    ...[
      "https://keys.example.org/?key=",
      "https://keys.example.org/#a",
      "https://a:b@keys.example",
    ],
  ]) {
    assert.throws(() => keystoreOver(web, { url }), { code: "invalid" }, url);
  }
});

test("the path is the url and the id, whatever the id and the end of the url", async () => {
  const asked: string[] = [];
  const web: WebClient = {
    fetch: async ({ url, headers }) => {
      asked.push(url);
      assert.equal(headers.Authorization, undefined, "no token is set");
      return ANSWER;
    },
  };
  const keystore = keystoreOver(web);
  assert.deepEqual(await keystore.find("A+b=:@c"), { secret: "hers", userName: "alice_umich" });
  assert.equal(await keystore.find("../A"), undefined);
  assert.equal(await keystore.find("A/../B"), undefined);
  assert.deepEqual(asked, ["https://keys.example.org/s3/A%2Bb%3D%3A%40c"]);
});

test("many at once for one key are one question; too many keys at once are SlowDown", async () => {
  const { promise, resolve } = Promise.withResolvers<WebAnswer>();
  let questions = 0;
  const metrics = new MemoryMetrics();
  const web: WebClient = {
    fetch: () => {
      questions += 1;
      return promise;
    },
  };
  const keystore = keystoreOver(web, {}, metrics);
  const same = Array.from({ length: 100 }, () => keystore.find("KEY"));
  const others = Array.from({ length: 63 }, (_, at) => keystore.find(`KEY${at}`));
  await assert.rejects(keystore.find("ONEMORE"), { code: "SlowDown" });
  assert.equal(metrics.values.get('keystore_questions_total{outcome="refused"}'), 1);
  const joined = keystore.find("KEY62");
  resolve(ANSWER);
  const found = await Promise.all([...same, ...others, joined]);
  assert.equal(found.filter((key) => key?.secret === "hers").length, 164);
  assert.equal(questions, 64);
  assert.equal((await keystore.find("ONEMORE"))?.secret, "hers", "there is room again");
});

test("ids that nobody has push out no key that is known, however many", async () => {
  let questions = 0;
  const web: WebClient = {
    fetch: async ({ url }) => {
      questions += 1;
      return url.endsWith("/KEY") ? ANSWER : { status: 404, body: Buffer.alloc(0) };
    },
  };
  const keystore = keystoreOver(web);
  await keystore.find("KEY");
  for (let at = 0; at < 10_001; at += 1) await keystore.find(`GUESS${at}`);
  assert.equal(questions, 10_002);
  await keystore.find("KEY");
  await keystore.find("GUESS10000");
  assert.equal(questions, 10_002);
  await keystore.find("GUESS0");
  assert.equal(questions, 10_003, "the oldest was forgotten");
});
