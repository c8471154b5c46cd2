// Settings of who users are: tokens, identity providers, LDAP, key store, and the switches that
// leave proofs out.
import * as Type from "../../lib/base/settings-schema.ts";

const strict = { additionalProperties: false } as const;
const text = (description: string, value = ""): Type.TString =>
  Type.String({ default: value, description });
const flag = (description: string, value = false): Type.TSchema<boolean> =>
  Type.Boolean({ default: value, description });

const OIDC = Type.Object(
  {
    name: Type.String({ pattern: "^[a-z0-9][a-z0-9-]{0,31}$" }),
    issuer: Type.String({ minLength: 8, maxLength: 500 }),
    clientId: Type.String({ minLength: 1, maxLength: 500 }),
    clientSecret: text("Of the client; empty: a public client."),
    userClaim: text("Claim that names the user.", "preferred_username"),
    groupsClaim: text("Claim with names of groups; empty: groups are kept here only."),
    organisation: text("Appended to names: alice becomes alice_umich; empty: nothing is."),
    scopes: Type.Array(Type.String(), { default: ["openid", "profile", "email"] }),
    audiences: Type.Array(Type.String(), {
      default: [],
      description: "Clients whose tokens AssumeRoleWithWebIdentity takes, besides our own.",
    }),
    createUsers: flag("Whoever signs in and is not there is made a user."),
    linkUsers: flag("A user of that name who has no account of the provider is given it."),
  },
  strict,
);

const LDAP = Type.Object(
  {
    url: text("ldaps://host:636 or ldap://host:389; empty: no LDAP."),
    userDn: text("Name to bind as: uid={user},ou=people,dc=example,dc=org"),
    startTls: flag("Begin TLS on an ldap:// connection."),
    caFile: text("Authorities (PEM) to trust instead of the system's."),
    organisation: text("Appended to names: alice becomes alice_umich; empty: nothing is."),
    timeoutMs: Type.Integer({
      ...{ minimum: 100, default: 5000 },
      description: "A directory that takes longer to connect or to answer is away.",
    }),
  },
  { ...strict, default: {} },
);

const KEYSTORE = Type.Object(
  {
    url: text("Asked for <url>/<access key id> where the directory has no such key; empty: off."),
    allowHttp: flag("Ask over http:// also where the store is not on this machine."),
    tokenFile: text("File with the bearer token to show, read for each question; empty: none."),
    caFile: text("Authorities (PEM) to trust instead of the system's."),
    timeoutMs: Type.Integer({
      ...{ minimum: 100, maximum: 30_000, default: 2000 },
      description: "A store that takes longer is away: 503.",
    }),
    rememberMs: Type.Integer({
      ...{ minimum: 1000, maximum: 3_600_000, default: 60_000 },
      description: "How long a key counts, asked or not: revoked ones live so long at most.",
    }),
    absentMs: Type.Integer({
      ...{ minimum: 0, maximum: 60_000, default: 5000 },
      description: "How long a key that the store does not have is not asked for again.",
    }),
  },
  {
    ...strict,
    default: {},
    description: "A key store of the operator's own, over HTTP (docs/keystore.md).",
  },
);

export const IDENTITY_SETTINGS = Type.Object(
  {
    tokens: flag("Access tokens may be used as access keys."),
    tokensOverHttp: flag("Take them over plain HTTP from everywhere, not from loopback alone."),
    simple: flag(
      "Check no secrets: the access key is the name of a user. For trials among friends only.",
    ),
    defaultUser: text(
      "With `simple`: who sends requests without a signature or by a key nobody has; empty: nobody.",
    ),
    oidc: Type.Array(OIDC, { default: [], description: "Identity providers (OpenID Connect)." }),
    oidcCaFile: text("Authorities (PEM) of identity providers, instead of the system's."),
    ldap: LDAP,
    keystore: KEYSTORE,
  },
  strict,
);

export type IdentitySettings = Type.Static<typeof IDENTITY_SETTINGS>;
