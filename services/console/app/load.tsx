// A value that a page shows once the server gave it: waiting, failed or there, and asked again on
// demand or by the clock.
import { type Signal, useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect } from "preact/hooks";
import { textOf } from "./state.ts";
import { Button } from "./ui.tsx";

export interface Loaded<T> {
  readonly value: Signal<T | undefined>;
  readonly failure: Signal<string>;
  readonly again: () => Promise<void>;
}

/** Asks `load` now, whenever `keys` change, and each `everyMs` while the page is seen. */
export function useLoaded<T>(
  load: () => Promise<T>,
  keys: readonly unknown[],
  everyMs = 0,
): Loaded<T> {
  const value = useSignal<T | undefined>(undefined);
  const failure = useSignal("");
  const turn = useSignal(0);
  const again = async (): Promise<void> => {
    turn.value += 1;
    const mine = turn.value;
    try {
      const next = await load();
      if (mine !== turn.value) return;
      value.value = next;
      failure.value = "";
    } catch (error) {
      if (mine === turn.value) failure.value = textOf(error);
    }
  };
  useEffect(() => {
    value.value = undefined;
    void again();
    if (everyMs === 0) return undefined;
    const timer = setInterval(() => {
      if (!document.hidden) void again();
    }, everyMs);
    return () => clearInterval(timer);
  }, keys);
  return { value, failure, again };
}

export function Show<T>(props: {
  readonly of: Loaded<T>;
  readonly children: (value: T) => ComponentChildren;
}): JSX.Element {
  const { value, failure, again } = props.of;
  if (value.value !== undefined) {
    return (
      <>
        {failure.value === "" ? null : <p class="failure">{failure.value}</p>}
        {props.children(value.value)}
      </>
    );
  }
  if (failure.value !== "") {
    return (
      <div class="empty-state">
        <p role="alert">{failure.value}</p>
        <Button onClick={again}>Try again</Button>
      </div>
    );
  }
  return (
    <p class="empty-state" aria-busy="true">
      Loading…
    </p>
  );
}
