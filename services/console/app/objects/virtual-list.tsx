// A list of any length as a grid of which only the seen rows exist. More is asked for when the end
// comes near, never "all". Arrow keys move, Space picks, Enter opens.
import { type Signal, useSignal } from "@preact/signals";
import type { ComponentChildren, JSX, RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

const ROW_PIXELS = 38;
const BEYOND_ROWS = 12;
const ASK_BEFORE_ROWS = 60;

interface ListProps<T> {
  readonly label: string;
  readonly items: readonly T[];
  readonly isMore: boolean;
  readonly onMore: () => void;
  readonly keyOf: (item: T) => string;
  readonly isPicked: (item: T) => boolean;
  readonly onPick: (item: T) => void;
  readonly onOpen: (item: T) => void;
  readonly head: ComponentChildren;
  /** The cells of a row. */
  readonly row: (item: T) => ComponentChildren;
  readonly className?: string;
}

interface Scrolling {
  readonly body: RefObject<HTMLDivElement | null>;
  /** Pixels above what is seen. */
  readonly top: Signal<number>;
  readonly first: number;
  readonly last: number;
}

/** Which rows are seen now, and a few beyond. */
function useScrolling(count: number): Scrolling {
  const body = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(600);
  useEffect(() => {
    const element = body.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => {
      height.value = element.clientHeight;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const first = Math.max(0, Math.floor(top.value / ROW_PIXELS) - BEYOND_ROWS);
  const seen = Math.ceil((top.value + height.value) / ROW_PIXELS);
  return { body, top, first, last: Math.min(count, seen + BEYOND_ROWS) };
}

function focusRow(element: HTMLDivElement | null, index: number): void {
  if (element === null) return;
  const rowTop = index * ROW_PIXELS;
  const below = rowTop + ROW_PIXELS - element.clientHeight;
  if (rowTop < element.scrollTop) element.scrollTop = rowTop;
  else if (below > element.scrollTop) element.scrollTop = below;
  requestAnimationFrame(() => {
    element.querySelector<HTMLElement>(`[aria-rowindex="${index + 2}"]`)?.focus();
  });
}

const STEPS: Readonly<Record<string, number>> = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: 15,
  PageUp: -15,
  Home: Number.NEGATIVE_INFINITY,
  End: Number.POSITIVE_INFINITY,
};

export function VirtualList<T>(props: ListProps<T>): JSX.Element {
  const { items, isMore, onMore } = props;
  const { body, top, first, last } = useScrolling(items.length);
  const current = useSignal(0);
  useEffect(() => {
    if (isMore && last > items.length - ASK_BEFORE_ROWS) onMore();
  }, [isMore, last, items.length]);
  const keyDown = (event: KeyboardEvent): void => {
    const item = items[current.value];
    // Keys pressed in a control of a row are the control's own.
    const { target } = event;
    if (!(target instanceof HTMLElement) || target.getAttribute("role") !== "row") return;
    const step = STEPS[event.key];
    if (step !== undefined) {
      current.value = Math.max(0, Math.min(items.length - 1, current.value + step));
      focusRow(body.current, current.value);
    } else if (event.key === "Enter" && item !== undefined) props.onOpen(item);
    else if (event.key === " " && item !== undefined) props.onPick(item);
    else return;
    event.preventDefault();
  };
  return (
    <div
      class={`list ${props.className ?? ""}`}
      role="grid"
      aria-label={props.label}
      aria-rowcount={isMore ? -1 : items.length + 1}
      aria-multiselectable="true"
    >
      <div role="rowgroup">
        <div class="list-head" role="row" aria-rowindex={1}>
          {props.head}
        </div>
      </div>
      <div
        class="list-body"
        role="rowgroup"
        ref={body}
        tabIndex={items.length === 0 ? 0 : -1}
        onKeyDown={keyDown}
        onScroll={(event) => {
          top.value = event.currentTarget.scrollTop;
        }}
      >
        <Rows {...props} first={first} last={last} current={current} />
      </div>
    </div>
  );
}

function Rows<T>(
  props: ListProps<T> & {
    readonly first: number;
    readonly last: number;
    readonly current: Signal<number>;
  },
): JSX.Element {
  const { items, first, last, current } = props;
  if (items.length === 0) {
    return (
      <div role="row">
        <div role="gridcell" class="empty-state">
          {props.isMore ? "Loading…" : "Nothing here."}
        </div>
      </div>
    );
  }
  const reachable = Math.max(first, Math.min(current.value, last - 1));
  return (
    <>
      <div role="presentation" style={{ height: `${items.length * ROW_PIXELS}px` }} />
      {items.slice(first, last).map((item, at) => (
        <div
          key={props.keyOf(item)}
          class="list-row"
          role="row"
          aria-rowindex={first + at + 2}
          aria-selected={props.isPicked(item)}
          tabIndex={first + at === reachable ? 0 : -1}
          style={{ top: `${(first + at) * ROW_PIXELS}px` }}
          onFocus={() => {
            current.value = first + at;
          }}
        >
          {props.row(item)}
        </div>
      ))}
    </>
  );
}
