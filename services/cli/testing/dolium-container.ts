// Dolium in a container, for tests of programs that use S3: the image `dolium` with everything in
// one process, by the package `testcontainers` of whoever tests. Without a registry the image must
// be on the machine.
import { AbstractStartedContainer, GenericContainer, Wait } from "testcontainers";

const S3_PORT = 9000;
const ADMIN_PORT = 9001;
const OPS_PORT = 9003;
const START_MS_MAX = 120_000;

export class DoliumContainer extends GenericContainer {
  #accessKeyId = "doliumtest";
  #secretAccessKey = "dolium test password";
  #region = "us-east-1";
  #buckets: readonly string[] = [];

  constructor(image = "dolium:latest") {
    super(image);
    this.withExposedPorts(S3_PORT, ADMIN_PORT, OPS_PORT);
    this.withCommand(["server", "/data"]);
    this.withWaitStrategy(Wait.forHttp("/health/ready", OPS_PORT));
    this.withStartupTimeout(START_MS_MAX);
  }

  withCredentials(accessKeyId: string, secretAccessKey: string): this {
    this.#accessKeyId = accessKeyId;
    this.#secretAccessKey = secretAccessKey;
    return this;
  }

  withRegion(region: string): this {
    this.#region = region;
    return this;
  }

  /** Buckets that are there once it has started. */
  withBuckets(...names: readonly string[]): this {
    this.#buckets = names;
    return this;
  }

  override async start(): Promise<StartedDoliumContainer> {
    this.withEnvironment({
      DOLIUM_ROOT_USER: this.#accessKeyId,
      DOLIUM_ROOT_PASSWORD: this.#secretAccessKey,
      DOLIUM_S3__REGION: this.#region,
      DOLIUM_BUCKETS: this.#buckets.join(","),
    });
    const [accessKeyId, secretAccessKey] = [this.#accessKeyId, this.#secretAccessKey];
    const facts = { accessKeyId, secretAccessKey, region: this.#region };
    return new StartedDoliumContainer(await super.start(), facts);
  }
}

type Started = ConstructorParameters<typeof AbstractStartedContainer>[0];

interface Facts {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
}

export class StartedDoliumContainer extends AbstractStartedContainer {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;

  constructor(started: Started, { accessKeyId, secretAccessKey, region }: Facts) {
    super(started);
    this.accessKeyId = accessKeyId;
    this.secretAccessKey = secretAccessKey;
    this.region = region;
  }

  /** Of S3, from this machine. Changes when the container is restarted. */
  get endpoint(): string {
    return `http://${this.getHost()}:${this.getMappedPort(S3_PORT)}`;
  }

  /** Of the admin API and the console, from this machine. */
  get adminUrl(): string {
    return `http://${this.getHost()}:${this.getMappedPort(ADMIN_PORT)}`;
  }

  /** What `new S3Client(...)` of the AWS SDK for JavaScript takes. */
  clientConfig(): {
    readonly endpoint: string;
    readonly region: string;
    readonly forcePathStyle: true;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  } {
    const { endpoint, region, accessKeyId, secretAccessKey } = this;
    const credentials = { accessKeyId, secretAccessKey };
    return { endpoint, region, credentials, forcePathStyle: true };
  }
}
