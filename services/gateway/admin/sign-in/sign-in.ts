// Signing in to the console and out: by access key and secret, or by an identity provider. Failures
// are counted by address and slowed down; a wrong key and a wrong secret are one and the same
// error.

import { isStoreError } from "../../../lib/base/errors.ts";
import * as Type from "../../../lib/base/settings-schema.ts";
import { openText, sealText } from "../../identity/sealed-text.ts";
import { callerOf } from "../admin-access.ts";
import { type AdminAnswer, done, json, redirect } from "../admin-answer.ts";
import { AdminError, accessDenied, invalidArgument, toAdminError } from "../admin-error.ts";
import { type AdminContext, type AdminOperation, parameter, withBody } from "../admin-operation.ts";
import { body, optional } from "../identity/field-schemas.ts";
import { checkOrigin, cookieOf, endedCookie, setCookie, startSession } from "./console-session.ts";
import { endSession } from "./ended-sessions.ts";

const STATE_COOKIE = "dolium_sign_in";
const STATE_SECONDS = 600;
/** Why a sign-in at a provider failed, for the page that the browser is sent back to. */
const REFUSAL_COOKIE = "dolium_sign_in_refused";
const REFUSAL_SECONDS = 60;
const REFUSAL_CHARACTERS_MAX = 500;
const REFUSED = "sign-in refused";
const CONSOLE = "/_console/";

const SignIn = body({
  accessKeyId: optional(Type.String({ minLength: 1, maxLength: 2048 })),
  secretAccessKey: optional(Type.String({ maxLength: 2048 })),
  oidc: optional(Type.String({ minLength: 1, maxLength: 128 })),
});

export const SIGN_IN_OPERATIONS: readonly AdminOperation[] = [
  withBody({
    name: "SignIn",
    method: "POST",
    path: "/session",
    summary: "Sign in to the console: sets its cookie, or says where to sign in (`location`).",
    admission: "open",
    body: SignIn,
    run: signIn,
  }),
  {
    name: "GetSession",
    method: "GET",
    path: "/session",
    summary: "Who the caller is.",
    admission: "anybody",
    run: getSession,
  },
  {
    name: "SignOut",
    method: "DELETE",
    path: "/session",
    summary: "Sign out of the console; every gateway knows it within two seconds.",
    admission: "anybody",
    run: signOut,
  },
  {
    name: "BeginProviderSignIn",
    method: "GET",
    path: "/session/oidc/{provider}",
    summary: "Redirects to the identity provider.",
    admission: "open",
    run: (context) =>
      orBackToSignIn(context, async () => {
        const { location, state } = await begin(context, parameter(context, "provider"));
        return redirect(location, [stateCookie(context, state, STATE_SECONDS)]);
      }),
  },
  {
    name: "FinishProviderSignIn",
    method: "GET",
    path: "/session/oidc/{provider}/callback",
    summary: "Where the identity provider sends the browser back to.",
    admission: "open",
    run: (context) => orBackToSignIn(context, () => finish(context)),
  },
];

async function signIn(
  context: AdminContext,
  { accessKeyId, secretAccessKey, oidc }: Type.Static<typeof SignIn>,
): Promise<AdminAnswer> {
  const { deps, request } = context;
  checkOrigin(request);
  if (oidc !== undefined) {
    const { location, state } = await begin(context, oidc);
    return json({ location }, 200, [stateCookie(context, state, STATE_SECONDS)]);
  }
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw invalidArgument("sign in with accessKeyId and secretAccessKey, or with oidc");
  }
  checkWait(context);
  const { remoteAddress } = request.origin;
  const identity = await deps.identities.signIn(accessKeyId, secretAccessKey, request.signed);
  if (identity === undefined) {
    deps.failures.failed(remoteAddress);
    deps.log.warn("sign-in failed", { audit: true, remoteAddress });
    throw new AdminError(401, "SignInFailed", "The access key or the secret is wrong.");
  }
  return started(context, identity.userName ?? identity.userId);
}

function checkWait({ deps, request }: AdminContext): void {
  const waitMs = deps.failures.waitMs(request.origin.remoteAddress);
  if (waitMs <= 0) return;
  const seconds = Math.ceil(waitMs / 1000);
  throw new AdminError(429, "SlowDown", `Too many failures; try again in ${seconds} s.`);
}

async function started(context: AdminContext, user: string): Promise<AdminAnswer> {
  const { deps, request } = context;
  const { csrf, cookie } = await startSession(deps, user, request);
  deps.log.info("signed in", {
    audit: true,
    actor: user,
    remoteAddress: request.origin.remoteAddress,
  });
  return json({ user, csrf }, 200, [cookie]);
}

async function getSession(context: AdminContext): Promise<AdminAnswer> {
  const { deps, request } = context;
  if (context.caller === undefined) {
    const error = {
      code: "NotSignedIn",
      message: "Nobody is signed in.",
      requestId: request.requestId,
    };
    const refusal = refusalOf(context);
    const over = refusal === undefined ? [] : [refusalCookie(context, "", 0)];
    return json({ error, providers: deps.providers.names, refusal }, 401, over);
  }
  const { identity, session } = callerOf(context);
  const { userId, displayName, principal } = identity;
  return json({
    user: identity.userName ?? userId,
    displayName,
    administrator: principal.administrator,
    csrf: session?.csrf ?? "",
    version: deps.version,
    s3Endpoint: s3EndpointOf(context),
    region: deps.gateway.settings.region,
    gateway: deps.name,
    features: { providers: deps.providers.names, tokens: deps.tokensEnabled },
  });
}

/** As configured, else the S3 port of this gateway at the host that the client knows it by. */
function s3EndpointOf({ deps, request }: AdminContext): string {
  if (deps.s3Endpoint !== "") return deps.s3Endpoint;
  const host = (request.headers.get("host") ?? "127.0.0.1").replace(/:[0-9]+$/, "");
  const { scheme, port } = deps.s3Port();
  return `${scheme}://${host}:${port}`;
}

async function signOut({ deps, caller, request }: AdminContext): Promise<AdminAnswer> {
  const session = caller?.session;
  if (session !== undefined) {
    await endSession(deps, session);
  }
  return done([endedCookie(request)]);
}

function redirectUri({ request, deps }: AdminContext, provider: string): string {
  const scheme = request.origin.isSecure ? "https" : "http";
  const host = request.headers.get("host") ?? "";
  const base = request.isOnS3Port ? "/_admin/api/v1" : "/api/v1";
  if (!deps.providers.names.includes(provider)) {
    throw new AdminError(404, "NoSuchProvider", `There is no identity provider ${provider}.`);
  }
  return `${scheme}://${host}${base}/session/oidc/${encodeURIComponent(provider)}/callback`;
}

async function begin(
  context: AdminContext,
  provider: string,
): Promise<{ readonly location: string; readonly state: string }> {
  return context.deps.providers.begin(provider, redirectUri(context, provider));
}

function stateCookie(
  context: AdminContext,
  value: string,
  seconds: number,
): ReturnType<typeof setCookie> {
  // Lax: the provider's redirect is a navigation from another site.
  return setCookie({
    name: STATE_COOKIE,
    value,
    seconds,
    sameSite: "Lax",
    request: context.request,
  });
}

/**
 * A person whose way to a provider and back failed finds himself at the sign-in page, which says
 * why; anybody but a browser that shows pages is told in JSON.
 */
async function orBackToSignIn(
  context: AdminContext,
  act: () => Promise<AdminAnswer>,
): Promise<AdminAnswer> {
  const { deps, request } = context;
  try {
    return await act();
  } catch (thrown) {
    const error = toAdminError(thrown);
    const { remoteAddress } = request.origin;
    const reason = error.message;
    deps.log.warn("sign-in failed", { audit: true, remoteAddress, reason });
    if (request.headers.get("sec-fetch-mode") !== "navigate") throw thrown;
    if (error.status >= 500) deps.log.error("an identity provider failed", thrown);
    const { sealingKeys, random } = deps;
    const text = sealText(
      sealingKeys,
      { purpose: REFUSED, text: reason.slice(0, REFUSAL_CHARACTERS_MAX) },
      random,
    );
    const gone = stateCookie(context, "", 0);
    return redirect(CONSOLE, [refusalCookie(context, text, REFUSAL_SECONDS), gone]);
  }
}

/** What `orBackToSignIn` left; sealed, so that nobody else puts words onto our page. */
function refusalOf({ deps, request }: AdminContext): string | undefined {
  const sealed = cookieOf(request, REFUSAL_COOKIE);
  return sealed === undefined ? undefined : openText(deps.sealingKeys, REFUSED, sealed);
}

function refusalCookie(
  { request }: AdminContext,
  value: string,
  seconds: number,
): ReturnType<typeof setCookie> {
  return setCookie({ name: REFUSAL_COOKIE, value, seconds, sameSite: "Strict", request });
}

async function finish(context: AdminContext): Promise<AdminAnswer> {
  const { deps, request, query } = context;
  const provider = parameter(context, "provider");
  checkWait(context);
  const state = cookieOf(request, STATE_COOKIE);
  if (state === undefined) throw accessDenied("This sign-in was not begun here, or took too long.");
  let user: string;
  try {
    const uri = redirectUri(context, provider);
    user = await deps.providers.finish(provider, { query, state, redirectUri: uri });
  } catch (error) {
    if (isStoreError(error, "denied")) deps.failures.failed(request.origin.remoteAddress);
    throw error;
  }
  const { cookie } = await startSession(deps, user, request);
  deps.log.info("signed in", { audit: true, actor: user, provider });
  return redirect(CONSOLE, [cookie, stateCookie(context, "", 0)]);
}
