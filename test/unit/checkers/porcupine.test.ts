// Porcupine and our checker say the same of random histories, good and spoiled. Skipped with the
// reason where there is no Go.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Operation } from "../../checkers/history.ts";
import { checkKey } from "../../checkers/linearizable.ts";
import { Porcupine } from "../../checkers/porcupine.ts";
import { sampleHistory, spoil } from "../../checkers/sample-history.ts";
import { runSeed, seededRandom } from "../../support/seeded-bytes.ts";

let porcupine: Porcupine | string;

before(async () => {
  porcupine = await Porcupine.build();
});

after(() => {
  if (typeof porcupine !== "string") porcupine.remove();
});

test("both checkers agree on 500 histories, at least 100 of them bad", async (t) => {
  if (typeof porcupine === "string") return t.skip(porcupine);
  const random = seededRandom(runSeed("porcupine"));
  const histories = new Map<string, Operation[]>();
  for (let round = 0; round < 500; round += 1) {
    const shape = { operations: 20 + Math.floor(random() * 40), clients: 4, unknownShare: 0.03 };
    const good = sampleHistory(random, shape);
    const key = `k${round}`;
    const history = round % 4 === 0 ? good : spoil(random, good);
    histories.set(
      `b/${key}`,
      history.map((operation) => ({ ...operation, key })),
    );
  }
  const opinions = await porcupine.ask([...histories.values()].flat());
  let bad = 0;
  for (const [name, history] of histories) {
    const { kind } = checkKey(history);
    assert.equal(kind, opinions.get(name), `${name}: ${JSON.stringify(history)}`);
    if (kind === "violation") bad += 1;
  }
  assert.ok(bad >= 100, `${bad} of 500 were bad`);
});

test("a history that is none is refused", async (t) => {
  if (typeof porcupine === "string") return t.skip(porcupine);
  const broken: Operation = {
    client: "c",
    kind: "put",
    bucket: "b",
    key: "k",
    invokedAt: 0,
    returnedAt: 1,
    input: {},
    output: { kind: "ok" },
  };
  await assert.rejects(porcupine.ask([broken]), /without a value/);
});
