// The frame around every page: navigation, who is signed in, how it looks, and the transfers that
// go on whatever page is shown.
import type { ComponentChildren, JSX } from "preact";
import { api } from "./api.ts";
import icon from "./icon.svg";
import {
  attempt,
  go,
  isAdministrator,
  link,
  place,
  session,
  setTheme,
  type Theme,
  theme,
} from "./state.ts";
import { Button, Choice, Icon, type IconName } from "./ui.tsx";
import { uploads } from "./upload/queue.ts";
import { UploadTray } from "./upload/tray.tsx";

interface Entry {
  readonly name: string;
  readonly text: string;
  readonly icon: IconName;
  readonly administrators: boolean;
  /** Other pages that belong to it. */
  readonly also?: readonly string[];
}

const ENTRIES: readonly Entry[] = [
  {
    name: "buckets",
    text: "Buckets",
    icon: "bucket",
    administrators: false,
    also: ["b", "settings"],
  },
  { name: "tokens", text: "My access", icon: "key", administrators: false },
  { name: "users", text: "Users", icon: "users", administrators: true, also: ["user"] },
  { name: "groups", text: "Groups", icon: "users", administrators: true },
  { name: "roles", text: "Roles", icon: "role", administrators: true },
  { name: "policies", text: "Policies", icon: "policy", administrators: true },
  { name: "cluster", text: "Cluster", icon: "cluster", administrators: true },
  { name: "live", text: "Live", icon: "live", administrators: true },
];

const THEMES = [
  ["auto", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
] as const;

function asTheme(text: string): Theme {
  return text === "light" || text === "dark" ? text : "auto";
}

async function signOut(): Promise<void> {
  uploads.pauseAll();
  if (!(await attempt(() => api.signOut()))) return;
  session.value = undefined;
  go(link("buckets"));
}

export function Frame({ children }: { readonly children: ComponentChildren }): JSX.Element {
  const here = place.value.name;
  const who = session.value;
  return (
    <>
      <button type="button" class="skip" onClick={skip}>
        Skip to the content
      </button>
      <div class="shell">
        <header class="side">
          <a class="brand" href={link("buckets")}>
            <img src={icon} alt="" />
            Dolium
          </a>
          <nav aria-label="Pages">
            {ENTRIES.filter((entry) => isAdministrator.value || !entry.administrators).map(
              (entry) => (
                <a
                  key={entry.name}
                  href={link(entry.name)}
                  aria-current={
                    entry.name === here || entry.also?.includes(here) ? "page" : undefined
                  }
                >
                  <Icon name={entry.icon} />
                  {entry.text}
                </a>
              ),
            )}
          </nav>
          <div class="who">
            <span>
              Signed in as <strong>{who?.user}</strong>
            </span>
            <Choice
              label="Appearance"
              value={theme.value}
              options={THEMES}
              onChange={(value) => setTheme(asTheme(value))}
            />
            <Button onClick={signOut}>Sign out</Button>
            <span>Version {who?.version}</span>
          </div>
        </header>
        <main id="main" tabIndex={-1}>
          {children}
        </main>
      </div>
      <UploadTray />
    </>
  );
}

function skip(): void {
  document.getElementById("main")?.focus();
}
