// Where a person was when she left for an identity provider: kept by this tab while she is away,
// and gone to once she is signed in. It is a place of the console (the part of the address behind
// `#`, which no server sees), so that it leads nowhere else.
const STORE = "dolium-return";
/** As long as a sign-in at a provider may take. */
const AWAY_MS_MAX = 600_000;
/** `#/b/photos`, never `#//host` or anything that is no place. */
const PLACE = /^#\/[^/]/;

/** Before the browser leaves. The sign-in page itself is no place to come back to. */
export function keepPlace(hash: string): void {
  if (PLACE.test(hash)) sessionStorage.setItem(STORE, JSON.stringify({ hash, atMs: Date.now() }));
}

/** Goes to the place that was kept, once, unless the address names one already. */
export function returnToPlace(): void {
  const text = sessionStorage.getItem(STORE);
  sessionStorage.removeItem(STORE);
  const hash = text === null ? undefined : keptHash(text);
  if (hash !== undefined && location.hash === "") location.replace(hash);
}

function keptHash(text: string): string | undefined {
  try {
    const kept: unknown = JSON.parse(text);
    if (typeof kept !== "object" || kept === null) return undefined;
    if (!("hash" in kept && typeof kept.hash === "string" && PLACE.test(kept.hash)))
      return undefined;
    const isRecent = "atMs" in kept && Date.now() - Number(kept.atMs) < AWAY_MS_MAX;
    return isRecent ? kept.hash : undefined;
  } catch {
    return undefined;
  }
}
