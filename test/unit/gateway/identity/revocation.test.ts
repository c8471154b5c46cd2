// What is revoked stops at every gateway within two seconds, on a simulated clock: at gateways that
// follow the directory, at one whose questions hang, at one whose answer is under way meanwhile.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { DirectoryCredentials } from "../../../../services/gateway/identity/credentials.ts";
import { Principals } from "../../../../services/gateway/identity/principal.ts";
import { FailureLimiter } from "../../../../services/gateway/identity/rate-limits.ts";
import { RgwTokenCheck } from "../../../../services/gateway/identity/rgw-token-check.ts";
import { newSession } from "../../../../services/gateway/identity/session-token.ts";
import { newToken } from "../../../../services/gateway/identity/tokens.ts";
import { isStoreError, StoreError } from "../../../../services/lib/base/errors.ts";
import { IdentityDirectory } from "../../../../services/lib/clients/identity-directory.ts";
import { IdentityEditor } from "../../../../services/lib/clients/identity-editor.ts";
import { SecretBox } from "../../../../services/lib/clients/secret-box.ts";
import {
  TokenAccess,
  type UserRecord,
} from "../../../../services/lib/gen/dolium/record/v1/identity_pb.ts";
import { createRandom } from "../../../../services/lib/host/random.ts";
import { soleClusterKey } from "../../../../services/lib/seal/cluster-keys.ts";
import { identitySettings } from "../../../s3/identity-gateway.ts";
import { SimClock, settle } from "../../../sim/clock.ts";
import { MachineMetadata } from "../../clients/machine-metadata.ts";
import { MemoryLog, MemoryMetrics } from "../memory-gateway.ts";

const PROMISED_MS = 2000;
const STEP_MS = 250;
/** Longer than any question of a directory takes until it is given up. */
const GIVEN_UP_MS = 12_000;
const USER = "alice_umich";
const KEYS = soleClusterKey(new Uint8Array(32).fill(3));
const random = createRandom();

type Metadata = MachineMetadata["client"];
type Verdict = "admitted" | "refused" | "unavailable";

/** What a client shows: a key or token, for temporary credentials with their session token. */
interface Proof {
  readonly accessKeyId: string;
  readonly securityToken?: string;
}

interface Gateway {
  readonly directory: IdentityDirectory;
  readonly credentials: DirectoryCredentials;
}

/** What every gateway says of a proof once it is revoked. */
const GATEWAYS = {
  following: "refused",
  asking: "refused",
  late: "refused",
  hanging: "unavailable",
};

async function rig(t: TestContext) {
  const service = new MachineMetadata(t);
  const editor = new IdentityEditor({ metadata: service.client });
  const clock = new SimClock();
  const faults = { isHanging: false, late: undefined as Promise<void> | undefined };
  const asked = service.client.query.bind(service.client);
  /** Whose answers never come: given up when the caller's time is over. */
  const hanging: Metadata["query"] = async (group, kind, options) => {
    if (!faults.isHanging) return asked(group, kind, options);
    await clock.sleep(options?.deadlineMs ?? GIVEN_UP_MS);
    throw new StoreError("timeout", "nobody answered");
  };
  /** Whose answer is held back on its way. */
  const late: Metadata["query"] = async (group, kind, options) => {
    const answer = await asked(group, kind, options);
    await faults.late;
    return answer;
  };
  const gateways: Readonly<Record<keyof typeof GATEWAYS, Gateway>> = {
    following: gatewayOver(asked, clock),
    asking: gatewayOver(asked, clock),
    late: gatewayOver(late, clock),
    hanging: gatewayOver(hanging, clock),
  };
  t.after(() => {
    for (const { directory } of Object.values(gateways)) directory.stop();
  });
  for (const name of ["following", "late", "hanging"] as const) gateways[name].directory.start();
  /** In small steps, so that what is under way comes in at its time. */
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      await clock.run(clock.monotonicMs() + STEP_MS);
      await service.idle();
      await settle();
    }
  };
  return { service, editor, clock, gateways, faults, pass };
}

type Rig = Awaited<ReturnType<typeof rig>>;

function gatewayOver(query: Metadata["query"], clock: SimClock): Gateway {
  const log = new MemoryLog();
  const directory = new IdentityDirectory({ metadata: { query }, clock, log });
  const secrets = new SecretBox(KEYS, random);
  const failures = new FailureLimiter(clock, new MemoryMetrics());
  const passwords = undefined;
  const rgwTokens = new RgwTokenCheck({
    ...{ secrets, passwords, organisation: "umich", failures },
    ...{ clock, random, log },
  });
  const root = { accessKeyId: "ROOTKEY", secretAccessKey: "root's secret" };
  const principals = new Principals();
  const credentials = new DirectoryCredentials(
    { root, directory, secrets, keys: KEYS, principals, rgwTokens },
    identitySettings({ tokens: true }),
  );
  return { directory, credentials };
}

/** The user with a key and a token, and a session of his, known to all. */
async function enrol({ editor, clock, pass }: Rig): Promise<Readonly<Record<string, Proof>>> {
  const sealedSecret = new SecretBox(KEYS, random).sealSecret(USER, "ALICEKEY", "hers");
  const { token, tokenId, digest } = newToken(random);
  await editor.createUser({
    name: USER,
    createdMs: BigInt(clock.wallMs()),
    keys: [{ accessKeyId: "ALICEKEY", sealedSecret }],
    tokens: [{ tokenId, digest, access: TokenAccess.READ_WRITE }],
  });
  const session = newSession(
    KEYS,
    {
      subject: { kind: "user", name: USER },
      policies: [],
      issuedMs: clock.wallMs(),
      expiresMs: clock.wallMs() + 3_600_000,
    },
    random,
  );
  await pass(PROMISED_MS);
  return {
    key: { accessKeyId: "ALICEKEY" },
    token: { accessKeyId: token },
    session: { accessKeyId: session.accessKeyId, securityToken: session.sessionToken },
  };
}

async function verdict(gateway: Gateway, proof: Proof, nowMs: number): Promise<Verdict> {
  const origin = { remoteAddress: "127.0.0.1", isSecure: false, certificate: undefined };
  const question = { securityToken: proof.securityToken, origin, nowMs, requestId: "1" };
  try {
    const found = await gateway.credentials.find(proof.accessKeyId, question);
    return found === undefined || found.refusal !== undefined ? "refused" : "admitted";
  } catch (error) {
    if (isStoreError(error, "unavailable")) return "unavailable";
    throw error;
  }
}

/** Asks every gateway now, of each proof; time goes on until the last has answered. */
async function verdicts(
  { clock, gateways, pass }: Rig,
  proofs: readonly Proof[],
): Promise<Readonly<Record<string, readonly Verdict[]>>> {
  const nowMs = clock.wallMs();
  const answers = Object.entries(gateways).map(async ([name, gateway]) => {
    const each = proofs.map((proof) => verdict(gateway, proof, nowMs));
    return [name, await Promise.all(each)] as const;
  });
  let isDone = false;
  const all = Promise.all(answers).finally(() => {
    isDone = true;
  });
  for (let waited = 0; !isDone && waited < GIVEN_UP_MS; waited += STEP_MS) await pass(STEP_MS);
  return Object.fromEntries(await all);
}

const REVOCATIONS: Readonly<
  Record<string, { readonly ends: readonly string[]; readonly how: (world: Rig) => Promise<void> }>
> = {
  "a key that is taken away": { ends: ["key"], how: changed({ keys: [] }) },
  "a token that is revoked": { ends: ["token"], how: changed({ tokens: [] }) },
  "a user who is disabled": { ends: ["key", "token", "session"], how: changed({ disabled: true }) },
  "sessions that are ended": {
    ends: ["session"],
    how: (world) => changed({ sessionsFromMs: BigInt(world.clock.wallMs()) })(world),
  },
  "a user who is deleted": {
    ends: ["key", "token", "session"],
    how: async ({ editor }) => void (await editor.deleteUser(USER)),
  },
};

function changed(fields: Partial<UserRecord>): (world: Rig) => Promise<void> {
  return async ({ editor }) =>
    void (await editor.changeUser(USER, (user) => ({ ...user, ...fields })));
}

for (const [what, { ends, how }] of Object.entries(REVOCATIONS)) {
  test(`${what}: no gateway lets it in two seconds later`, async (t) => {
    const world = await rig(t);
    const { service, faults, pass } = world;
    const proofs = await enrol(world);
    const ended = ends.map((name) => proofs[name] ?? { accessKeyId: name });
    const before = await verdicts(world, ended);
    for (const said of Object.values(before))
      assert.deepEqual(new Set(said), new Set(["admitted"]));

    const held = Promise.withResolvers<void>();
    faults.late = held.promise;
    const asOld = world.gateways.late.directory.refresh();
    await settle();
    await service.idle();
    await how(world);
    faults.isHanging = true;
    await pass(PROMISED_MS);
    // What was asked for before the change comes in now, and is nothing to go by.
    faults.late = undefined;
    held.resolve();
    const after = await verdicts(world, ended);
    for (const [name, said] of Object.entries(GATEWAYS)) {
      assert.deepEqual(new Set(after[name]), new Set([said]), name);
    }
    await asOld;
  });
}

test("what is not revoked goes on at gateways that can ask", async (t) => {
  const world = await rig(t);
  const proofs = await enrol(world);
  await changed({ tokens: [] })(world);
  await world.pass(PROMISED_MS);
  const { key, session } = proofs;
  const said = await verdicts(
    world,
    [key, session].filter((proof) => proof !== undefined),
  );
  for (const name of Object.keys(GATEWAYS)) assert.deepEqual(said[name], ["admitted", "admitted"]);
});
