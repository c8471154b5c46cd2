// The admin API as the console calls it: one typed function a call, JSON in and out, the session's
// cookie and the header against forged requests. Every refusal becomes an ApiError with the code
// and the text of the server.
import type {
  Bucket,
  Certificate,
  ClusterView,
  CreatedKey,
  CreatedToken,
  Group,
  LayoutPlan,
  Limits,
  ManagedPolicy,
  Page,
  PolicyCheck,
  PresignRequest,
  Role,
  Session,
  TokenRequest,
  User,
} from "./api-types.ts";

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

const BASES = ["/_admin/api/v1", "/api/v1"] as const;
const ITEMS_A_PAGE = 500;
const PAGES_MAX = 40;

let base: string = BASES[0];
let csrf = "";
let onSignedOut: () => void = () => undefined;

/** Says what to do when the server no longer knows the session. */
export function whenSignedOut(act: () => void): void {
  onSignedOut = act;
}

/** Address of a call, for streams and downloads. */
export function apiUrl(path: string): string {
  return `${base}${path}`;
}

interface ErrorBody {
  readonly error?: { readonly code?: string; readonly message?: string };
}

async function refusal(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    // The shape is checked field by field below.
    const { error } = JSON.parse(text) as ErrorBody;
    const message = error?.message ?? `The server answered ${response.status}.`;
    return new ApiError(response.status, error?.code ?? "Unknown", message);
  } catch {
    const message = `The server answered ${response.status} ${response.statusText}.`;
    return new ApiError(response.status, "Unknown", message);
  }
}

async function request(method: Method, path: string, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (method !== "GET") headers["x-dolium-csrf"] = csrf;
  if (body !== undefined) headers["content-type"] = "application/json";
  const init: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store" };
  if (body !== undefined) init.body = JSON.stringify(body);
  let response: Response;
  try {
    response = await fetch(apiUrl(path), init);
  } catch (error) {
    const text = "The server cannot be reached.";
    throw Object.assign(new ApiError(0, "Unreachable", text), { cause: error });
  }
  if (response.ok) return response;
  const failure = await refusal(response);
  if (failure.status === 401 && !path.startsWith("/session")) onSignedOut();
  throw failure;
}

async function call<T>(method: Method, path: string, body?: unknown): Promise<T> {
  const response = await request(method, path, body);
  const text = await response.text();
  // The contract of the admin API; both sides are of one release.
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

async function everything<T>(path: string): Promise<T[]> {
  const items: T[] = [];
  let after: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const query = new URLSearchParams({ limit: String(ITEMS_A_PAGE) });
    if (after !== undefined) query.set("after", after);
    const answer = await call<Page<T>>("GET", `${path}?${query}`);
    items.push(...answer.items);
    after = answer.next;
    if (after === undefined || after === "") break;
  }
  return items;
}

const seg = encodeURIComponent;

/** What has policies, as the paths say it. */
export type PolicyHolder = "users" | "groups" | "roles";

function keepSession(session: Session): Session {
  csrf = session.csrf;
  return session;
}

export interface Opened {
  /** Undefined when nobody is signed in. */
  readonly session: Session | undefined;
  /** Identity providers that one may sign in at. */
  readonly providers: readonly string[];
  /** Why signing in at one of them failed just now; empty: it did not. */
  readonly refusal: string;
}

/** Finds where the API is, on this port, and who is signed in. Throws ApiError. */
export async function openSession(): Promise<Opened> {
  for (const candidate of BASES) {
    base = candidate;
    const options = { headers: { accept: "application/json" }, cache: "no-store" } as const;
    const response = await fetch(apiUrl("/session"), options);
    const isOurs = response.headers.get("content-type")?.includes("json") === true;
    // A port that knows nothing of the API answers as S3, in XML.
    if (!isOurs || response.status === 404) continue;
    // The contract of the admin API; both sides are of one release.
    if (response.ok) {
      const session = keepSession((await response.json()) as Session);
      return { session, providers: session.features?.providers ?? [], refusal: "" };
    }
    if (response.status !== 401) throw await refusal(response);
    const told = (await response.json()) as Partial<Opened>;
    return { session: undefined, providers: told.providers ?? [], refusal: told.refusal ?? "" };
  }
  throw new ApiError(404, "NoSuchOperation", "This port does not serve the admin API.");
}

/** For streams, which do not say why they broke: whether the session has ended. */
export async function checkSession(): Promise<void> {
  const response = await fetch(apiUrl("/session"), { cache: "no-store" });
  if (response.status === 401) onSignedOut();
}

export const api = {
  signIn: async (accessKeyId: string, secretAccessKey: string): Promise<Session> => {
    await call<unknown>("POST", "/session", { accessKeyId, secretAccessKey });
    return keepSession(await call<Session>("GET", "/session"));
  },
  signOut: () => call<void>("DELETE", "/session"),
  presign: (wanted: PresignRequest) => call<{ readonly url: string }>("POST", "/presign", wanted),
  presignPost: (wanted: {
    readonly bucket: string;
    readonly prefix: string;
    readonly expires: number;
    readonly bytesMax: number;
  }) => call<{ url: string; fields: Record<string, string> }>("POST", "/presign/post", wanted),

  buckets: () => everything<Bucket>("/buckets"),
  bucket: (name: string) => call<Bucket>("GET", `/buckets/${seg(name)}`),
  createBucket: (body: { name: string; objectLock?: boolean }) =>
    call<Bucket>("POST", "/buckets", body),
  changeBucket: (
    name: string,
    body: { quota?: { bytes: number; objects: number }; owner?: string },
  ) => call<Bucket>("PATCH", `/buckets/${seg(name)}`, body),
  deleteBucket: (name: string) => call<void>("DELETE", `/buckets/${seg(name)}`),

  users: () => everything<User>("/users"),
  user: (name: string) => call<User>("GET", `/users/${seg(name)}`),
  createUser: (body: {
    name: string;
    displayName?: string;
    email?: string;
    administrator?: boolean;
    withoutKey: true;
  }) => call<User>("POST", "/users", body),
  changeUser: (
    name: string,
    body: {
      displayName?: string;
      email?: string;
      disabled?: boolean;
      administrator?: boolean;
      limits?: Partial<Limits>;
      /** Name of a managed policy; empty: none. */
      boundary?: string;
    },
  ) => call<User>("PATCH", `/users/${seg(name)}`, body),
  deleteUser: (name: string) => call<void>("DELETE", `/users/${seg(name)}`),
  revokeSessions: (name: string) => call<void>("POST", `/users/${seg(name)}/sessions/revoke`),
  createKey: (name: string, body: { description?: string }) =>
    call<CreatedKey>("POST", `/users/${seg(name)}/keys`, body),
  changeKey: (name: string, id: string, body: { disabled: boolean }) =>
    call<unknown>("PATCH", `/users/${seg(name)}/keys/${seg(id)}`, body),
  deleteKey: (name: string, id: string) =>
    call<void>("DELETE", `/users/${seg(name)}/keys/${seg(id)}`),
  createToken: (name: string, body: TokenRequest) =>
    call<CreatedToken>("POST", `/users/${seg(name)}/tokens`, body),
  rotateToken: (name: string, id: string, overlap: string) =>
    call<CreatedToken>("POST", `/users/${seg(name)}/tokens/${seg(id)}/rotate`, { overlap }),
  changeToken: (name: string, id: string, body: { disabled: boolean }) =>
    call<unknown>("PATCH", `/users/${seg(name)}/tokens/${seg(id)}`, body),
  deleteToken: (name: string, id: string) =>
    call<void>("DELETE", `/users/${seg(name)}/tokens/${seg(id)}`),
  putInline: (of: PolicyHolder, name: string, policy: string, document: unknown) =>
    call<unknown>("PUT", `/${of}/${seg(name)}/policies/${seg(policy)}`, { document }),
  deleteInline: (of: PolicyHolder, name: string, policy: string) =>
    call<void>("DELETE", `/${of}/${seg(name)}/policies/${seg(policy)}`),
  attach: (of: PolicyHolder, name: string, policy: string) =>
    call<unknown>("PUT", `/${of}/${seg(name)}/attached/${seg(policy)}`),
  detach: (of: PolicyHolder, name: string, policy: string) =>
    call<void>("DELETE", `/${of}/${seg(name)}/attached/${seg(policy)}`),

  addCertificate: (name: string, pem: string) =>
    call<Certificate>("POST", `/users/${seg(name)}/certificates`, { pem }),
  deleteCertificate: (name: string, fingerprint: string) =>
    call<void>("DELETE", `/users/${seg(name)}/certificates/${seg(fingerprint)}`),

  roles: () => everything<Role>("/roles"),
  role: (name: string) => call<Role>("GET", `/roles/${seg(name)}`),
  putRole: (
    name: string,
    body: {
      trustPolicy: unknown;
      description?: string;
      sessionSecondsMax?: number;
      /** Name of a managed policy; empty: none. */
      boundary?: string;
    },
  ) => call<Role>("PUT", `/roles/${seg(name)}`, body),
  deleteRole: (name: string) => call<void>("DELETE", `/roles/${seg(name)}`),

  groups: () => everything<Group>("/groups"),
  group: (name: string) => call<Group>("GET", `/groups/${seg(name)}`),
  createGroup: (name: string) => call<Group>("POST", "/groups", { name }),
  deleteGroup: (name: string) => call<void>("DELETE", `/groups/${seg(name)}`),
  addMember: (group: string, user: string) =>
    call<unknown>("PUT", `/groups/${seg(group)}/members/${seg(user)}`),
  removeMember: (group: string, user: string) =>
    call<void>("DELETE", `/groups/${seg(group)}/members/${seg(user)}`),

  policies: () => everything<ManagedPolicy>("/policies"),
  putPolicy: (name: string, document: unknown, description: string) =>
    call<unknown>("PUT", `/policies/${seg(name)}`, { document, description }),
  deletePolicy: (name: string) => call<void>("DELETE", `/policies/${seg(name)}`),
  validatePolicy: (document: unknown, kind?: "trust") =>
    call<unknown>("POST", "/policy/validate", { document, kind }),
  checkPolicy: (body: { user: string; action: string; resource: string }) =>
    call<PolicyCheck>("POST", "/policy/check", body),

  cluster: () => call<ClusterView>("GET", "/cluster"),
  planLayout: (changes: LayoutPlan["changes"]) =>
    call<LayoutPlan>("POST", "/cluster/layout/plan", { changes }),
  applyLayout: ({ epoch, changes }: LayoutPlan) =>
    call<LayoutPlan>("POST", "/cluster/layout/apply", { plan: { epoch, changes } }),
  undrain: (node: string) => call<unknown>("POST", `/cluster/nodes/${seg(node)}/undrain`),
};
