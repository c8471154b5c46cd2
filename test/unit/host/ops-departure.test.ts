// A process is asked to leave on its operations port by those who know the cluster's secret alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetrics } from "../../../services/lib/host/metrics.ts";
import { createOpsServer } from "../../../services/lib/host/ops-server.ts";
import { opsAuthorization, opsToken } from "../../../services/lib/host/ops-token.ts";
import { createRecordingLog } from "./recording-log.ts";

test("only who knows the secret of the cluster may ask a process to leave", async (t) => {
  let asked = 0;
  const ok = () => ({ ok: true });
  const server = createOpsServer({
    metrics: createMetrics({ nodeMetrics: false }),
    log: createRecordingLog(),
    health: { started: ok, live: ok, ready: ok, cluster: ok },
    departure: {
      token: opsToken("secret"),
      leave: async () => {
        asked += 1;
        if (asked > 1) throw new Error("no");
      },
    },
  });
  const address = await server.listen("127.0.0.1:0");
  t.after(() => server.close());
  const ask = async (method: string, authorization?: string): Promise<number> => {
    const headers = authorization === undefined ? {} : { authorization };
    const { status, body } = await fetch(`http://${address}/leave`, { method, headers });
    await body?.cancel();
    return status;
  };
  const right = opsAuthorization(opsToken("secret"));
  const wrong = [undefined, "", "Bearer ", opsToken("secret"), opsAuthorization(opsToken("other"))];
  for (const value of wrong) assert.equal(await ask("POST", value), 403, String(value));
  assert.equal(await ask("GET", right), 404);
  assert.equal(asked, 0);
  assert.equal(await ask("POST", right), 200);
  assert.equal(asked, 1);
  assert.equal(await ask("POST", right), 500, "it could not leave");
});
