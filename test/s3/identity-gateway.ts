// A gateway whose users come from the real directory: real state machines, real credentials, bodies
// in memory. Users are made as the admin API makes them.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Ajv } from "ajv";
import { adminOptions } from "../../services/cli/compose/admin.ts";
import { composeIdentity, type IdentityServices } from "../../services/cli/compose/identity.ts";
import type { AdminOptions } from "../../services/gateway/admin/admin.ts";
import type { AdminSettings } from "../../services/gateway/admin/config.ts";
import type { ConsoleFiles } from "../../services/gateway/admin/console-files.ts";
import type { S3Settings } from "../../services/gateway/config.ts";
import type { GatewayDependencies } from "../../services/gateway/dependencies.ts";
import {
  IDENTITY_SETTINGS,
  type IdentitySettings,
} from "../../services/gateway/identity/settings.ts";
import { newToken } from "../../services/gateway/identity/tokens.ts";
import type {
  MetadataClient,
  QueryAnswer,
  QueryCase,
  QueryKind,
} from "../../services/lib/clients/metadata-client.ts";
import {
  AccessKeySchema,
  type AccessToken,
  AccessTokenSchema,
  TokenAccess,
  type UserRecord,
} from "../../services/lib/gen/dolium/record/v1/identity_pb.ts";
import { createClock } from "../../services/lib/host/clock.ts";
import { createRandom } from "../../services/lib/host/random.ts";
import type { Clock } from "../../services/lib/ports/clock.ts";
import type { Transport } from "../../services/lib/ports/transport.ts";
import { soleClusterKey } from "../../services/lib/seal/cluster-keys.ts";
import {
  CLUSTER_KEY,
  type MemoryGateway,
  MemoryLog,
  MemoryMetrics,
  startGatewayOver,
} from "../unit/gateway/memory-gateway.ts";
import { Caller } from "./caller.ts";
import { StateMetadata } from "./state-metadata.ts";

export const ROOT = { accessKeyId: "ROOTKEYOFTHECLUSTER1", secretAccessKey: "root's own secret" };
const REGION = "us-east-1";
const random = createRandom();

export interface IdentityGatewayOptions {
  readonly s3?: Partial<S3Settings>;
  readonly identity?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Partial<GatewayDependencies>;
  /** Of everything; real time unless told. */
  readonly clock?: Clock;
  /** With an admin port, whose settings are these. */
  readonly admin?: Partial<AdminSettings>;
  /** Files of the console. */
  readonly files?: ConsoleFiles;
}

export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export class IdentityGateway {
  readonly gateway: Omit<MemoryGateway, "metadata">;
  readonly services: IdentityServices;
  readonly log: MemoryLog;
  readonly root: Caller;
  readonly endpoint: string;
  readonly #metadata: StateMetadata;
  readonly #ownsMetadata: boolean;

  private constructor(parts: {
    readonly gateway: Omit<MemoryGateway, "metadata">;
    readonly services: IdentityServices;
    readonly metadata: StateMetadata;
    readonly log: MemoryLog;
    readonly ownsMetadata: boolean;
  }) {
    this.#ownsMetadata = parts.ownsMetadata;
    this.gateway = parts.gateway;
    this.services = parts.services;
    this.log = parts.log;
    this.#metadata = parts.metadata;
    const scheme = parts.gateway.running.isSecure ? "https" : "http";
    this.endpoint = `${scheme}://127.0.0.1:${parts.gateway.running.port}`;
    this.root = this.caller(ROOT);
  }

  static async start(options: IdentityGatewayOptions = {}): Promise<IdentityGateway> {
    const metadata = await StateMetadata.open();
    try {
      return await IdentityGateway.#startOver(metadata, options, true);
    } catch (error) {
      await metadata.close();
      throw error;
    }
  }

  /** Another gateway of the same cluster; stops before this one. */
  beside(options: IdentityGatewayOptions = {}): Promise<IdentityGateway> {
    return IdentityGateway.#startOver(this.#metadata, options, false);
  }

  static async #startOver(
    metadata: StateMetadata,
    options: IdentityGatewayOptions,
    ownsMetadata: boolean,
  ): Promise<IdentityGateway> {
    const clock = options.clock ?? createClock();
    const log = new MemoryLog();
    const keys = soleClusterKey(CLUSTER_KEY);
    const services = composeIdentity({
      ports: { clock, random, log, metrics: new MemoryMetrics(), transport: noTransport() },
      // The state machines answer what a client would ask the cluster.
      clients: { metadata: metadata as unknown as MetadataClient },
      root: ROOT,
      keys,
      settings: identitySettings(options.identity),
    });
    const { credentials, directory, oidc, uses } = services;
    const { rootBinding } = credentials;
    const gateway = await startGatewayOver(metadata, options.s3, {
      clusterKey: CLUSTER_KEY,
      ...(options.admin === undefined
        ? {}
        : { admin: adminOf({ options, services, metadata, clock, log }) }),
      dependencies: {
        ...{ credentials, directory, uses, clock },
        sts: { directory, keys, oidc, rootBinding },
        ...options.dependencies,
      },
    });
    return new IdentityGateway({ gateway, services, metadata, log, ownsMetadata });
  }

  async stop(): Promise<void> {
    await this.gateway.stop();
    await this.services.stop();
    if (this.#ownsMetadata) await this.#metadata.close();
  }

  /** Asks the root group. */
  query<C extends QueryCase>(kind: Extract<QueryKind, { case: C }>): Promise<QueryAnswer<C>> {
    return this.#metadata.query(1, kind);
  }

  caller({ accessKeyId, secretAccessKey }: Keys): Caller {
    const { endpoint } = this;
    return new Caller({ endpoint, accessKeyId, secretAccessKey, region: REGION });
  }

  /** A user with one key. */
  async createUser(
    name: string,
    change: (user: UserRecord) => UserRecord = (user) => user,
  ): Promise<Keys> {
    await this.services.editor.createUser({ name, createdMs: 1n });
    const keys = await this.createKey(name);
    await this.services.editor.changeUser(name, change);
    return keys;
  }

  async createKey(
    name: string,
    options: { readonly expiresMs?: bigint; readonly disabled?: boolean } = {},
  ): Promise<Keys> {
    const accessKeyId = `DK${Buffer.from(random.bytes(9)).toString("hex").toUpperCase()}`;
    const secretAccessKey = Buffer.from(random.bytes(30)).toString("base64url");
    const sealedSecret = this.services.secrets.sealSecret(name, accessKeyId, secretAccessKey);
    const key = create(AccessKeySchema, { accessKeyId, sealedSecret, createdMs: 1n, ...options });
    await this.services.editor.changeUser(name, (user) => ({ ...user, keys: [...user.keys, key] }));
    return { accessKeyId, secretAccessKey };
  }

  /** The token's text. */
  async createToken(
    name: string,
    options: Exclude<MessageInitShape<typeof AccessTokenSchema>, AccessToken> = {},
  ): Promise<string> {
    const { token, tokenId, digest } = newToken(random);
    const record = create(AccessTokenSchema, {
      ...{ createdMs: 1n, name: "a token", access: TokenAccess.READ_WRITE },
      ...options,
      ...{ tokenId, digest },
    });
    await this.change(name, (user) => ({ ...user, tokens: [...user.tokens, record] }));
    return token;
  }

  async change(name: string, change: (user: UserRecord) => UserRecord): Promise<void> {
    await this.services.editor.changeUser(name, change);
  }
}

const validate = new Ajv({ useDefaults: true }).compile<IdentitySettings>(IDENTITY_SETTINGS);

/** Every default, and changes over them. Throws when a change does not fit the schema. */
export function identitySettings(
  changes: Readonly<Record<string, unknown>> = {},
): IdentitySettings {
  const settings: unknown = structuredClone(changes);
  if (validate(settings)) return settings;
  throw new Error(`identity settings: ${JSON.stringify(validate.errors)}`);
}

function adminOf(parts: {
  readonly options: IdentityGatewayOptions;
  readonly services: IdentityServices;
  readonly metadata: StateMetadata;
  readonly clock: Clock;
  readonly log: MemoryLog;
}): AdminOptions {
  const { options, services, metadata, clock, log } = parts;
  const client = metadata as unknown as MetadataClient;
  const composed = adminOptions({
    ports: { clock, random, log, transport: noTransport() },
    clients: { metadata: client, replicas: [], view: { map: () => ({ nodes: [] }) } } as never,
    settings: {
      enabled: true,
      address: "127.0.0.1:0",
      allowHttp: false,
      s3Endpoint: "",
      ...options.admin,
    },
    provisioning: { file: "", checkMs: 10_000, repeatMs: 300_000 },
    identity: services,
    tokensEnabled: options.identity?.tokens === true,
  });
  return { ...composed, files: options.files ?? { read: async () => undefined } };
}

/** Nothing here goes over a network. */
function noTransport(): Transport {
  return {
    unary: () => Promise.reject(new Error("there is no network here")),
  } as unknown as Transport;
}
