// A key store of the operator's own: a web server that is asked for access keys which the directory
// does not hold. It says what a key's secret is and whose it is, nothing else: users and what they
// may do are the directory's. Guarantees that no answer counts longer than the setting, counted
// from when it was asked for, that a store which is away refuses nobody for good (503, not 403),
// and that neither secrets nor what proves itself (tokens, passwords) leave or reach a log.
import { fromUtf8 } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import { isLoopback } from "../../lib/base/ip-address.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Log } from "../../lib/ports/log.ts";
import type { Counter, Metrics } from "../../lib/ports/metrics.ts";
import type { WebAnswer, WebClient } from "../../lib/ports/web.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import { isTemporaryKey } from "./session-token.ts";
import { publicName } from "./tokens.ts";

/** Ids that are asked for: none that means another path. */
const ASKABLE = /^[A-Za-z0-9][A-Za-z0-9._~@+=:-]{0,127}$/;
const ANSWER_BYTES_MAX = 16 * 1024;
const SECRET_CHARACTERS_MAX = 1024;
/** Of each kind of answer; ids nobody has never push out keys that are used. */
const REMEMBERED_MAX = 10_000;
/** Questions under way; more would let strangers keep the store busy through us. */
const ASKING_MAX = 64;

export interface KeystoreKey {
  readonly secret: string;
  /** Name of a user, who may not be there. */
  readonly userName: string;
}

export interface KeystoreSettings {
  /** Asked for `<url>/<access key id>`. */
  readonly url: string;
  /** Ask in the open, too, where the store is not on this machine. */
  readonly allowHttp: boolean;
  readonly timeoutMs: number;
  /** How long a key counts without being asked about. */
  readonly rememberMs: number;
  /** How long an id that the store does not have is not asked about. */
  readonly absentMs: number;
}

export interface KeystoreDeps {
  readonly web: WebClient;
  /** Sent as a bearer token, read for each question; empty: none is sent. */
  readonly token: () => Promise<string>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

interface Remembered {
  readonly key: KeystoreKey;
  readonly askedMs: number;
}

export class Keystore {
  readonly #deps: KeystoreDeps;
  readonly #settings: KeystoreSettings;
  readonly #questions: Counter;
  readonly #found = new Map<string, Remembered>();
  /** Ids that the store did not have, with when it was asked. */
  readonly #absent = new Map<string, number>();
  readonly #asking = new Map<string, Promise<KeystoreKey | undefined>>();
  #isAway = false;

  /** Throws StoreError "invalid" for a URL that is not https, nor http where that is allowed. */
  constructor(deps: KeystoreDeps, settings: KeystoreSettings) {
    this.#deps = deps;
    this.#settings = settings;
    checkUrl(settings);
    this.#questions = deps.metrics.counter("keystore_questions_total", {
      help: "Access keys that the key store was asked for, by what came of it.",
      labels: ["outcome"],
    });
  }

  /**
   * The key of that id; undefined when the store has none. Throws S3Error: ServiceUnavailable when
   * the store does not say, SlowDown when too many questions are under way.
   */
  async find(accessKeyId: string): Promise<KeystoreKey | undefined> {
    if (!isAskable(accessKeyId)) return undefined;
    const { rememberMs, absentMs } = this.#settings;
    const nowMs = this.#deps.clock.monotonicMs();
    const known = this.#found.get(accessKeyId);
    const ageMs = known === undefined ? rememberMs : nowMs - known.askedMs;
    if (known !== undefined && ageMs < rememberMs) {
      // Asked early, a store that is away for a moment is noticed by nobody.
      if (ageMs >= rememberMs / 2) void this.#askAhead(accessKeyId);
      return known.key;
    }
    const absentSinceMs = this.#absent.get(accessKeyId);
    if (absentSinceMs !== undefined && nowMs - absentSinceMs < absentMs) return undefined;
    return this.#ask(accessKeyId);
  }

  /** What fails is logged; the answer that is there counts until it is too old. */
  async #askAhead(accessKeyId: string): Promise<void> {
    if (this.#asking.has(accessKeyId) || this.#asking.size >= ASKING_MAX) return;
    await this.#ask(accessKeyId).catch(() => undefined);
  }

  /** One question at a time for an id. */
  async #ask(accessKeyId: string): Promise<KeystoreKey | undefined> {
    const running = this.#asking.get(accessKeyId);
    if (running !== undefined) return running;
    if (this.#asking.size >= ASKING_MAX) {
      this.#questions.increment({ outcome: "refused" });
      throw new S3Error("SlowDown");
    }
    const asked = this.#askNow(accessKeyId).finally(() => this.#asking.delete(accessKeyId));
    this.#asking.set(accessKeyId, asked);
    return asked;
  }

  async #askNow(accessKeyId: string): Promise<KeystoreKey | undefined> {
    const askedMs = this.#deps.clock.monotonicMs();
    const key = await this.#fetch(accessKeyId).catch((error: unknown) => this.#failed(error));
    this.#questions.increment({ outcome: key === undefined ? "absent" : "found" });
    if (this.#isAway) this.#deps.log.info("the key store answers again");
    this.#isAway = false;
    this.#found.delete(accessKeyId);
    this.#absent.delete(accessKeyId);
    if (key === undefined) remember(this.#absent, accessKeyId, askedMs);
    else remember(this.#found, accessKeyId, { key, askedMs });
    return key;
  }

  /** Neither the error nor its causes are passed on: they may hold pieces of the answer. */
  #failed(error: unknown): never {
    this.#questions.increment({ outcome: "failed" });
    const reason = error instanceof Error ? error.message : String(error);
    if (!this.#isAway) this.#deps.log.warn("the key store cannot be asked", { reason });
    this.#isAway = true;
    throw new S3Error("ServiceUnavailable", "The key store of this service does not answer.");
  }

  async #fetch(accessKeyId: string): Promise<KeystoreKey | undefined> {
    const { url, timeoutMs } = this.#settings;
    const token = await this.#deps.token();
    const answer = await this.#deps.web.fetch({
      url: `${url.replace(/\/+$/, "")}/${encodeURIComponent(accessKeyId)}`,
      method: "GET",
      headers: {
        Accept: "application/json",
        ...(token === "" ? {} : { Authorization: `Bearer ${token}` }),
      },
      deadlineMs: timeoutMs,
      bytesMax: ANSWER_BYTES_MAX,
      // The operator wrote the address: his store may well be in his own network.
      publicOnly: false,
    });
    return readKey(answer);
  }
}

function checkUrl({ url, allowHttp }: KeystoreSettings): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const host = parsed?.hostname.replace(/^\[|\]$/g, "") ?? "";
  const isLocal = host === "localhost" || isLoopback(host);
  const isHttp = parsed?.protocol === "http:" && (isLocal || allowHttp);
  if (parsed === undefined || !(parsed.protocol === "https:" || isHttp)) {
    const message = "identity.keystore.url must begin with https:// (http:// on this machine only)";
    throw new StoreError("invalid", message);
  }
  if (/[?#]/.test(url) || parsed.username !== "" || parsed.password !== "") {
    throw new StoreError("invalid", "identity.keystore.url takes no query and no password");
  }
}

/** Tokens and passwords in the place of an access key are nothing to ask others about. */
function isAskable(accessKeyId: string): boolean {
  if (isTemporaryKey(accessKeyId) || publicName(accessKeyId) !== accessKeyId) return false;
  return ASKABLE.test(accessKeyId);
}

/** Throws StoreError "unavailable" for what is no answer. */
function readKey({ status, body }: WebAnswer): KeystoreKey | undefined {
  if (status === 404) return undefined;
  if (status !== 200) throw new StoreError("unavailable", `it answered ${status}`);
  const value = readJson(body);
  const isObject = typeof value === "object" && value !== null;
  const secret = isObject && "secretKey" in value ? value.secretKey : undefined;
  const userName = isObject && "user" in value ? value.user : undefined;
  const isSecret =
    typeof secret === "string" && secret !== "" && secret.length <= SECRET_CHARACTERS_MAX;
  if (!isSecret || typeof userName !== "string" || userName === "") {
    throw new StoreError("unavailable", "its answer has no secretKey and user");
  }
  return { secret, userName };
}

/** The parser's own error would quote the text, which has a secret in it. */
function readJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(body) ?? "");
  } catch {
    throw new StoreError("unavailable", "its answer is no JSON");
  }
}

function remember<T>(answers: Map<string, T>, accessKeyId: string, answer: T): void {
  answers.set(accessKeyId, answer);
  if (answers.size <= REMEMBERED_MAX) return;
  for (const oldest of answers.keys()) {
    answers.delete(oldest);
    return;
  }
}
