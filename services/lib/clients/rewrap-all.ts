// After the cluster key was changed: everything that former keys sealed is sealed anew with the
// current one. May be interrupted and repeated; what is under the current key already stays as it
// is. Once a run finds nothing any more, the former keys are needed no longer.
import { StoreError } from "../base/errors.ts";
import { Outcome } from "../gen/dolium/record/v1/command_pb.ts";
import type { Random } from "../ports/random.ts";
import {
  type ClusterKeys,
  currentClusterKey,
  openWithCluster,
  sealWithCluster,
} from "../seal/cluster-keys.ts";
import { accessKeyBinding, namedKeyBinding } from "../seal/key-bindings.ts";
import type { KeyBinding } from "../seal/sealed-bytes.ts";
import { ROOT_GROUP } from "./groups.ts";
import type { MetadataCallOptions, MetadataClient } from "./metadata-client.ts";

const AT_ONCE = 200;
const PAGE = 200;

export interface RewrapDeps {
  readonly metadata: Pick<MetadataClient, "execute" | "query">;
  readonly random: Random;
  readonly clusterKeys: ClusterKeys;
}

export interface RewrapReport {
  /** Versions of named keys that were sealed anew. */
  readonly namedKeys: number;
  /** Secrets of access keys that were sealed anew. */
  readonly secrets: number;
  /** What none of the configured keys opens, for people: "version 2 of the key payroll". */
  readonly unopened: readonly string[];
}

/** Throws StoreError "denied" without a current cluster key, and those of MetadataClient. */
export async function rewrapAll(
  deps: RewrapDeps,
  options: MetadataCallOptions = {},
): Promise<RewrapReport> {
  currentClusterKey(deps.clusterKeys);
  const unopened: string[] = [];
  const namedKeys = await rewrapNamedKeys(deps, unopened, options);
  const secrets = await rewrapSecrets(deps, unopened, options);
  return { namedKeys, secrets, unopened };
}

async function rewrapNamedKeys(
  deps: RewrapDeps,
  unopened: string[],
  options: MetadataCallOptions,
): Promise<number> {
  const kind = { case: "listKmsKeys", value: {} } as const;
  const { keys } = await deps.metadata.query(ROOT_GROUP, kind, options);
  const due = keys.flatMap(({ name, versions }) =>
    versions.flatMap(({ version, wrappedKey: expected }) => {
      const what = `version ${version} of the key ${name}`;
      const binding = namedKeyBinding(name, version);
      const wrappedKey = resealed(deps, { binding, sealed: expected, what }, unopened);
      return wrappedKey === undefined ? [] : [{ name, version, expected, wrappedKey }];
    }),
  );
  for (let at = 0; at < due.length; at += AT_ONCE) {
    await rewrap(deps, { namedKeys: due.slice(at, at + AT_ONCE) }, options);
  }
  return due.length;
}

async function rewrapSecrets(
  deps: RewrapDeps,
  unopened: string[],
  options: MetadataCallOptions,
): Promise<number> {
  let count = 0;
  let afterRevision = 0n;
  for (;;) {
    const kind = { case: "listIdentities", value: { afterRevision, limit: PAGE } } as const;
    const page = await deps.metadata.query(ROOT_GROUP, kind, options);
    const due = page.records.flatMap((record) => {
      if (record.kind.case !== "user") return [];
      const { name: user, keys } = record.kind.value;
      return keys.flatMap(({ accessKeyId, sealedSecret: expected }) => {
        const what = `the secret of the access key ${accessKeyId} of ${user}`;
        const binding = accessKeyBinding(user, accessKeyId);
        const sealedSecret = resealed(deps, { binding, sealed: expected, what }, unopened);
        return sealedSecret === undefined ? [] : [{ user, accessKeyId, expected, sealedSecret }];
      });
    });
    for (let at = 0; at < due.length; at += AT_ONCE) {
      await rewrap(deps, { secrets: due.slice(at, at + AT_ONCE) }, options);
    }
    count += due.length;
    if (!page.truncated) return count;
    afterRevision = page.revision;
  }
}

interface Sealed {
  readonly binding: KeyBinding;
  readonly sealed: Uint8Array;
  readonly what: string;
}

/** Undefined when it is under the current key, or under none that is known. */
function resealed(
  { clusterKeys, random }: RewrapDeps,
  { binding, sealed, what }: Sealed,
  unopened: string[],
): Uint8Array | undefined {
  const opened = openWithCluster(clusterKeys, { binding, sealed });
  if (opened === undefined) unopened.push(what);
  if (opened === undefined || opened.isCurrent) return undefined;
  return sealWithCluster(clusterKeys, { binding, bytes: opened.bytes }, random);
}

type Rewrap = Parameters<MetadataClient["execute"]>[1] & { readonly case: "rewrapKeys" };

async function rewrap(
  { metadata }: RewrapDeps,
  value: Rewrap["value"],
  options: MetadataCallOptions,
): Promise<void> {
  const kind = { case: "rewrapKeys", value } as const;
  const { outcome, message } = await metadata.execute(ROOT_GROUP, kind, options);
  if (outcome !== Outcome.OK) throw new StoreError("internal", `rewrapping keys: ${message}`);
}
