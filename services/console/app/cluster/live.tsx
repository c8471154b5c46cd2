// What happens this second, and in the last fifteen minutes, at the gateway that serves this page:
// figures as small graphs, and the requests as they end. Comes as server-sent events.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { apiUrl, checkSession } from "../api.ts";
import type { LiveSecond } from "../api-types.ts";
import { bytesText, milliseconds } from "../format.ts";
import { attempt } from "../state.ts";
import { Failure } from "../ui.tsx";
import { Trace } from "./trace.tsx";

const SECONDS_MAX = 900;
const WIDTH = 300;
const HEIGHT = 80;

type Pick = (entry: LiveSecond) => number;

function pathOf(entries: readonly LiveSecond[], pick: Pick, top: number): string {
  const step = WIDTH / (SECONDS_MAX - 1);
  const first = SECONDS_MAX - entries.length;
  return entries
    .map((entry, at) => {
      const x = ((first + at) * step).toFixed(1);
      const y = (HEIGHT - (Math.min(pick(entry), top) / top) * (HEIGHT - 4)).toFixed(1);
      return `${at === 0 ? "M" : "L"}${x} ${y}`;
    })
    .join("");
}

function Chart(props: {
  readonly title: string;
  readonly entries: readonly LiveSecond[];
  readonly lines: readonly (readonly [string, Pick])[];
  readonly text: (value: number) => string;
}): JSX.Element {
  const { entries, lines, text } = props;
  const last = entries.at(-1);
  const top = Math.max(1e-9, ...entries.flatMap((entry) => lines.map(([, pick]) => pick(entry))));
  const now = lines.map(([name, pick]) => `${name} ${last === undefined ? "–" : text(pick(last))}`);
  return (
    <section class="card" aria-label={props.title}>
      <h2>{props.title}</h2>
      <p class="big-number">{now.join(" · ")}</p>
      <svg
        class="chart"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${props.title} of the last 15 minutes, at most ${text(top)}`}
      >
        <path class="base" d={`M0 ${HEIGHT}H${WIDTH}`} />
        {lines.map(([name, pick], at) => (
          <path key={name} class={at === 0 ? "" : "second"} d={pathOf(entries, pick, top)} />
        ))}
      </svg>
      <p class="hint">15 minutes, at most {top < 1e-6 ? text(0) : text(top)}</p>
    </section>
  );
}

function Charts({ entries }: { readonly entries: readonly LiveSecond[] }): JSX.Element {
  const whole = (value: number): string => String(Math.round(value));
  return (
    <div class="cards">
      <Chart
        title="Requests a second"
        entries={entries}
        text={whole}
        lines={[
          ["all", (entry) => entry.requests],
          ["errors", (entry) => entry.errors],
        ]}
      />
      <Chart
        title="Bytes a second"
        entries={entries}
        text={bytesText}
        lines={[
          ["in", (entry) => entry.bytesIn],
          ["out", (entry) => entry.bytesOut],
        ]}
      />
      <Chart
        title="Time of a request"
        entries={entries}
        text={milliseconds}
        lines={[
          ["p99", (entry) => entry.p99Ms],
          ["p50", (entry) => entry.p50Ms],
        ]}
      />
      <Chart
        title="Event loop late by"
        entries={entries}
        text={milliseconds}
        lines={[["", (entry) => entry.eventLoopLagMs]]}
      />
    </div>
  );
}

export function Live(): JSX.Element {
  const entries = useSignal<readonly LiveSecond[]>([]);
  const failure = useSignal("");
  useEffect(() => {
    const source = new EventSource(apiUrl("/live"));
    const take = (more: readonly LiveSecond[]): void => {
      failure.value = "";
      const last = entries.value.at(-1)?.second ?? 0;
      const fresh = more.filter((entry) => entry.second > last);
      entries.value = [...entries.value, ...fresh].slice(-SECONDS_MAX);
    };
    // Our own server's events, of one release with this page.
    source.addEventListener("past", (event) => take(JSON.parse(event.data) as LiveSecond[]));
    source.addEventListener("second", (event) => take([JSON.parse(event.data) as LiveSecond]));
    source.onerror = () => {
      failure.value = "The stream broke; it is tried again.";
      // The browser tries again unless it was refused.
      if (source.readyState === EventSource.CLOSED) void attempt(checkSession);
    };
    return () => source.close();
  }, []);
  return (
    <>
      <div class="head">
        <h1 class="grow">Live</h1>
      </div>
      <Failure text={failure.value} />
      <Charts entries={entries.value} />
      <p />
      <Trace />
    </>
  );
}
