// Where the console starts: asks who is signed in, shows the sign-in page or the frame with the
// page of the address. Pages are loaded when they are first visited.
import { useSignal } from "@preact/signals";
import { type ComponentType, type JSX, render } from "preact";
import { useEffect } from "preact/hooks";
import { openSession, whenSignedOut } from "./api.ts";
import { Frame } from "./frame.tsx";
import { returnToPlace } from "./return-place.ts";
import { SignIn } from "./sign-in.tsx";
import { place, session, textOf, watchPlace } from "./state.ts";
import { Failure, Notices } from "./ui.tsx";

type Page = ComponentType<{ readonly parts: readonly string[] }>;

const PAGES: Readonly<Record<string, () => Promise<Page>>> = {
  buckets: async () => (await import("./buckets.tsx")).Buckets,
  b: async () => (await import("./objects/objects.tsx")).Objects,
  settings: async () => (await import("./settings/settings.tsx")).Settings,
  tokens: async () => (await import("./access/tokens.tsx")).OwnAccess,
  users: async () => (await import("./access/users.tsx")).Users,
  user: async () => (await import("./access/user.tsx")).UserPage,
  groups: async () => (await import("./access/groups.tsx")).Groups,
  roles: async () => (await import("./access/roles.tsx")).Roles,
  policies: async () => (await import("./access/policies.tsx")).Policies,
  cluster: async () => (await import("./cluster/cluster.tsx")).Cluster,
  live: async () => (await import("./cluster/live.tsx")).Live,
};

function Outlet(): JSX.Element {
  const { name, parts } = place.value;
  const page = useSignal<{ readonly name: string; readonly Page: Page } | undefined>(undefined);
  const failure = useSignal("");
  useEffect(() => {
    failure.value = "";
    const load = PAGES[name];
    if (load === undefined) {
      failure.value = "There is no such page.";
      return undefined;
    }
    let isLeft = false;
    load().then(
      (Page) => {
        if (!isLeft) page.value = { name, Page };
      },
      (error: unknown) => {
        if (!isLeft) failure.value = `The page cannot be loaded: ${textOf(error)}`;
      },
    );
    return () => {
      isLeft = true;
    };
  }, [name]);
  if (failure.value !== "") return <Failure text={failure.value} />;
  if (page.value?.name !== name) return <p class="empty-state">Loading…</p>;
  const { Page } = page.value;
  return <Page parts={parts} />;
}

function App(): JSX.Element {
  const state = useSignal<"asking" | "ready" | "failed">("asking");
  const failure = useSignal("");
  const providers = useSignal<readonly string[]>([]);
  const refusal = useSignal("");
  useEffect(() => {
    if (session.value === undefined) return;
    refusal.value = "";
    returnToPlace();
  }, [session.value]);
  useEffect(() => {
    whenSignedOut(() => {
      if (session.value !== undefined) refusal.value = "The session has ended; sign in again.";
      session.value = undefined;
    });
    openSession().then(
      (opened) => {
        session.value = opened.session;
        providers.value = opened.providers;
        refusal.value = opened.refusal;
        state.value = "ready";
      },
      (error: unknown) => {
        failure.value = textOf(error);
        state.value = "failed";
      },
    );
  }, []);
  if (state.value !== "ready") {
    return (
      <main class="sign-in">
        <h1 class="hidden">Dolium</h1>
        {state.value === "failed" ? (
          <Failure text={failure.value} />
        ) : (
          <p class="empty-state">Loading…</p>
        )}
      </main>
    );
  }
  if (session.value === undefined)
    return <SignIn providers={providers.value} refusal={refusal.value} />;
  return (
    <Frame>
      <Outlet />
    </Frame>
  );
}

watchPlace();
const root = document.getElementById("app");
if (root !== null) {
  render(
    <>
      <App />
      <Notices />
    </>,
    root,
  );
}
