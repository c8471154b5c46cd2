// The few calls of the Kubernetes API that installing needs, as the service account of a pod. Every
// answer is either what was asked for or an error with the server's own sentence.
import { readFileSync } from "node:fs";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { join } from "node:path";
import process from "node:process";
import { StoreError } from "../../lib/base/errors.ts";
import { UsageError } from "../command-line.ts";

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
const TIMEOUT_MS = 30_000;
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

export type KubernetesObject = Readonly<Record<string, unknown>>;

export interface KubernetesApi {
  /** Undefined where there is none. Throws StoreError. */
  get(path: string): Promise<KubernetesObject | undefined>;
  /** False where there is one of that name. Throws StoreError. */
  create(path: string, object: KubernetesObject): Promise<boolean>;
  /** Merges `change` into the object (RFC 7396). Throws StoreError. */
  merge(path: string, change: KubernetesObject): Promise<void>;
  /** What is not there is deleted. Throws StoreError. */
  remove(path: string, options: KubernetesObject): Promise<void>;
}

export interface ApiPlace {
  /** Undefined: that of the pod's environment. */
  readonly server: string | undefined;
  /** Folder of `token` and `ca.crt`; undefined: that of a pod. */
  readonly account: string | undefined;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

interface Question {
  readonly method: string;
  readonly path: string;
  readonly body?: KubernetesObject;
  readonly type?: string;
}

/** Throws UsageError where this is no pod and nothing was said. */
export function kubernetesApi({ server, account = ACCOUNT }: ApiPlace): KubernetesApi {
  const url = new URL(server ?? serverOfPod());
  const ask = (question: Question): Promise<Answer> => askServer(url, account, question);
  return {
    get: async (path) => {
      const answer = await ask({ method: "GET", path });
      return answer.status === 404 ? undefined : objectOf(answer, path);
    },
    create: async (path, body) => {
      const answer = await ask({ method: "POST", path, body });
      if (answer.status === 409) return false;
      objectOf(answer, path);
      return true;
    },
    merge: async (path, body) => {
      const type = "application/merge-patch+json";
      objectOf(await ask({ method: "PATCH", path, body, type }), path);
    },
    remove: async (path, body) => {
      const answer = await ask({ method: "DELETE", path, body });
      if (answer.status !== 404) objectOf(answer, path);
    },
  };
}

function serverOfPod(): string {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = "443" } = process.env;
  if (host === undefined || host === "") {
    throw new UsageError("this is no pod of Kubernetes: name the API server with --server");
  }
  return `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function objectOf({ status, body }: Answer, path: string): KubernetesObject {
  const fields = typeof body === "object" && body !== null ? { ...body } : {};
  if (status >= 200 && status < 300) return fields;
  const { message } = { message: undefined, ...fields };
  const sentence = typeof message === "string" ? message : `${path}: status ${status}`;
  throw new StoreError(status === 403 || status === 401 ? "denied" : "unavailable", sentence);
}

/** Tokens of pods are exchanged while they run: read for each call. */
function askServer(server: URL, account: string, question: Question): Promise<Answer> {
  const { method, path, body, type = "application/json" } = question;
  const document = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const isSecure = server.protocol === "https:";
  const headers = {
    accept: "application/json",
    authorization: `Bearer ${accountFile(account, "token")}`,
    ...(document === undefined ? {} : { "content-type": type, "content-length": document.length }),
  };
  const options = { method, headers, timeout: TIMEOUT_MS };
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const fail = (cause: unknown): void => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    reject(new StoreError("unavailable", `the API server: ${reason}`, { cause }));
  };
  const target = new URL(path, server);
  const request = isSecure
    ? requestHttps(target, { ...options, ca: accountFile(account, "ca.crt") })
    : requestHttp(target, options);
  request.once("error", fail);
  request.once("timeout", () => request.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
  request.once("response", (response) => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    response.on("data", (piece: Buffer) => {
      bytes += piece.length;
      if (bytes > ANSWER_BYTES_MAX) request.destroy(new Error("the answer is too large"));
      else pieces.push(piece);
    });
    response.once("error", fail);
    response.once("end", () => {
      try {
        const parsed: unknown = JSON.parse(Buffer.concat(pieces).toString("utf8") || "{}");
        resolve({ status: response.statusCode ?? 0, body: parsed });
      } catch (error) {
        fail(error);
      }
    });
  });
  request.end(document);
  return promise;
}

function accountFile(account: string, name: string): string {
  const path = join(account, name);
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new UsageError(`${path} cannot be read: has this pod a service account?`, { cause });
  }
}
