// When a process should end: SIGINT, SIGTERM, or, for a supervised child, the end of its stdin (its
// parent is gone). A second signal ends it at once.
import process from "node:process";

/** Resolves with the reason, once. */
export function stopSignal(options: { readonly withStdin: boolean }): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let asked = false;
  const stop = (reason: string): void => {
    if (asked && reason !== "parent ended") process.exit(1);
    asked = true;
    resolve(reason);
  };
  process.on("SIGINT", () => stop("SIGINT"));
  process.on("SIGTERM", () => stop("SIGTERM"));
  if (options.withStdin) {
    process.stdin.resume();
    process.stdin.once("end", () => stop("parent ended"));
    process.stdin.once("error", () => stop("parent ended"));
  }
  return promise;
}

/** Fires at Ctrl-C: whoever watches ends by that, with success. */
export function interrupted(): AbortSignal {
  const controller = new AbortController();
  process.once("SIGINT", () => controller.abort());
  process.once("SIGTERM", () => controller.abort());
  return controller.signal;
}
