// A gateway over real state machines whose users a test chooses, and which tells what a request
// reached behind the gateway: commands, queries about objects, bytes of bodies.
import type { S3Settings } from "../../services/gateway/config.ts";
import type { MetadataAccess } from "../../services/gateway/dependencies.ts";
import type { UserPrincipal } from "../../services/lib/iam/model.ts";
import { parseIdentityPolicy } from "../../services/lib/iam/policy.ts";
import {
  CLUSTER_KEY,
  type MemoryGateway,
  type MemoryGatewayOptions,
  startGatewayOver,
  type TestUser,
} from "../unit/gateway/memory-gateway.ts";
import type { Caller } from "./caller.ts";
import { callerOf } from "./harness.ts";
import { StateMetadata } from "./state-metadata.ts";

/** Finding a bucket is no secret: whoever asks for one is told whether it exists. */
const FREE_QUERIES: ReadonlySet<string> = new Set(["getBucket", "kmsKeys", "listKmsKeys"]);

export interface WatchedGateway {
  readonly gateway: Omit<MemoryGateway, "metadata">;
  readonly metadata: StateMetadata;
  as(user: TestUser): Caller;
  /** What was reached behind the gateway since the last call: `execute putObject`, `read body`. */
  reached(): string[];
  stop(): Promise<void>;
}

export async function startWatchedGateway(
  options: Partial<MemoryGatewayOptions> = {},
  changes: Partial<S3Settings> = {},
): Promise<WatchedGateway> {
  const metadata = await StateMetadata.open();
  let log: string[] = [];
  const watched: MetadataAccess = {
    execute: (groupId, kind, more) => {
      log.push(`execute ${kind.case ?? ""}`);
      return metadata.execute(groupId, kind, more);
    },
    query: (groupId, kind) => {
      const name = kind.case ?? "";
      if (!FREE_QUERIES.has(name)) log.push(`query ${name}`);
      return metadata.query(groupId, kind);
    },
  };
  const gateway = await startGatewayOver(watched, changes, { clusterKey: CLUSTER_KEY, ...options });
  const { bodies } = gateway;
  bodies.writeFault = () => void log.push("write body");
  bodies.readFault = () => void log.push("read body");
  return {
    gateway,
    metadata,
    as: (user) => callerOf(gateway, user),
    reached: () => {
      const seen = log;
      log = [];
      return seen;
    },
    stop: async () => {
      await gateway.stop();
      await metadata.close();
    },
  };
}

export interface UserInit {
  readonly userId: string;
  /** Own name, where it is another: of a service account. */
  readonly name?: string;
  readonly groups?: readonly string[];
  readonly administrator?: boolean;
  readonly ownsByName?: boolean;
  /** Identity policies, and policies that bound, as documents. */
  readonly policies?: readonly object[];
  readonly bounds?: readonly object[];
}

/** A user with an access key of its own. */
export function testUser(init: UserInit): TestUser {
  const { userId, name = userId, groups = [], administrator = false, ownsByName = true } = init;
  const named = (documents: readonly object[], what: string): UserPrincipal["policies"] =>
    documents.map((document, at) => ({
      source: `${what} ${at} of ${name}`,
      policy: parseIdentityPolicy(JSON.stringify(document)),
    }));
  const principal: UserPrincipal = {
    kind: "user",
    userId,
    arn: `arn:aws:iam:::user/${name}`,
    groups,
    administrator,
    policies: named(init.policies ?? [], "policy"),
    bounds: named(init.bounds ?? [], "bound"),
    ownsByName,
  };
  const accessKeyId = `KEY${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "")}`.padEnd(20, "0");
  const secret = `secret of ${name}`;
  return { accessKeyId, secret, userId, displayName: name, administrator, principal };
}

/** A policy of one statement. */
export function statement(fields: Readonly<Record<string, unknown>>): object {
  return { Version: "2012-10-17", Statement: [{ Effect: "Allow", ...fields }] };
}
