// What every security test of the S3 port starts from: a gateway whose users a test chooses, a
// bucket with an object, and what a request reached behind the gateway.
import type { Answer, Caller } from "../s3/caller.ts";
import { makeBucket } from "../s3/harness.ts";
import { startWatchedGateway, testUser, type WatchedGateway } from "../s3/watched-gateway.ts";
import {
  type MemoryGatewayOptions,
  ROOT_USER,
  type TestUser,
} from "../unit/gateway/memory-gateway.ts";

/** Tenants: each owns what it makes. */
export const ALICE = testUser({ userId: "alice_umich" });
export const BOB = testUser({ userId: "bob_wayne" });

export interface Stage {
  readonly watched: WatchedGateway;
  readonly owner: Caller;
  as(user: TestUser): Caller;
  /** A bucket of the owner with an object `key`. */
  bucket(statements?: readonly Readonly<Record<string, unknown>>[]): Promise<string>;
  setPolicy(bucket: string, ...statements: readonly object[]): Promise<Answer>;
  stop(): Promise<void>;
}

export async function startStage(
  users: readonly TestUser[] = [],
  options: Partial<MemoryGatewayOptions> = {},
): Promise<Stage> {
  const watched = await startWatchedGateway({ ...options, users: [ALICE, BOB, ...users] });
  const owner = watched.as(ROOT_USER);
  const setPolicy = (name: string, ...statements: readonly object[]): Promise<Answer> => {
    const Statement = statements.map((fields) => ({
      Effect: "Allow",
      Principal: { AWS: "arn:aws:iam:::user/alice_umich" },
      Resource: [`arn:aws:s3:::${name}`, `arn:aws:s3:::${name}/*`],
      ...fields,
    }));
    const body = JSON.stringify({ Version: "2012-10-17", Statement });
    return owner.call({ method: "PUT", target: `/${name}?policy`, body });
  };
  const bucket = async (statements: readonly object[] = []): Promise<string> => {
    const name = await makeBucket(owner);
    await owner.call({ method: "DELETE", target: `/${name}?publicAccessBlock` });
    if (statements.length > 0) {
      const set = await setPolicy(name, ...statements);
      if (set.status !== 204) throw new Error(set.text);
    }
    await owner.put(name, "key", "content");
    return name;
  };
  return { watched, owner, as: watched.as, bucket, setPolicy, stop: watched.stop };
}
