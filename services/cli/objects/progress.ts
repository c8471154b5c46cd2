// Progress of transfers: one line a running file and one of the whole, drawn on stderr while it is
// a terminal, and nothing anywhere else. Lines of results go above the bars.
import process from "node:process";
import { styleText } from "node:util";
import { shown, shownSize } from "./shown-text.ts";

export interface FileProgress {
  /** Bytes that are done, resumed ones too. */
  advance(bytes: number): void;
  end(): void;
}

export interface Progress {
  /** A file that became known; `bytes` undefined: its size is told when it begins. */
  expect(bytes: number | undefined): void;
  /** `bytes` undefined: nobody knows. */
  file(name: string, bytes: number | undefined): FileProgress;
  /** A line of stdout, above the bars. */
  print(line: string): void;
  /** Removes the bars. */
  close(): void;
}

export function silentProgress(print: (line: string) => void): Progress {
  const file: FileProgress = { advance: () => undefined, end: () => undefined };
  return { expect: () => undefined, file: () => file, print, close: () => undefined };
}

const DRAW_EVERY_MS = 100;
const FILES_SHOWN_MAX = 8;
const CLEAR_BELOW = "\u001b[0J";

export interface BarState {
  readonly name: string;
  done: number;
  readonly bytes: number | undefined;
}

/** `stream`: a terminal. `colour`: whether it may be coloured. */
export function terminalProgress(
  stream: NodeJS.WriteStream,
  print: (line: string) => void,
  colour: boolean,
): Progress {
  const bars = new Set<BarState>();
  const startedMs = performance.now();
  const whole = { files: 0, filesDone: 0, bytes: 0, done: 0, unsized: 0, startedMs };
  let drawn = 0;
  const clear = (): void => {
    if (drawn > 0) stream.write(`\u001b[${drawn}A\r${CLEAR_BELOW}`);
    drawn = 0;
  };
  const draw = (): void => {
    clear();
    if (whole.files === 0) return;
    const width = Math.min(stream.columns, 120) - 1;
    const elapsedMs = performance.now() - whole.startedMs;
    const shownBars = [...bars].slice(0, FILES_SHOWN_MAX);
    const lines = shownBars.map((bar) => barLine(bar, { width, elapsedMs: 0 }));
    const name = `${whole.filesDone}/${whole.files} files`;
    const total = barLine({ name, done: whole.done, bytes: whole.bytes }, { width, elapsedMs });
    lines.push(colour ? styleText("cyan", total, { stream }) : total);
    stream.write(`${lines.join("\n")}\n`);
    drawn = lines.length;
  };
  const timer = setInterval(draw, DRAW_EVERY_MS);
  timer.unref();
  return {
    expect: (bytes) => {
      whole.files += 1;
      whole.bytes += bytes ?? 0;
      if (bytes === undefined) whole.unsized += 1;
    },
    file: (name, bytes) => {
      if (whole.unsized > 0) {
        whole.unsized -= 1;
        whole.bytes += bytes ?? 0;
      }
      const bar: BarState = { name, done: 0, bytes };
      bars.add(bar);
      return {
        advance: (more) => {
          bar.done += more;
          whole.done += more;
        },
        end: () => {
          if (bars.delete(bar)) whole.filesDone += 1;
        },
      };
    },
    print: (line) => {
      clear();
      print(line);
    },
    close: () => {
      clearInterval(timer);
      clear();
    },
  };
}

/**
 * `name [####    ]  50 %  1.0 MiB/2.0 MiB  1.0 MiB/s  0:01 left`, at most `width` columns; rate and
 * time left only where `elapsedMs` is given and something is done. Pure.
 */
export function barLine(
  bar: Readonly<BarState>,
  { width, elapsedMs }: { readonly width: number; readonly elapsedMs: number },
): string {
  const { done, bytes } = bar;
  const facts =
    bytes === undefined
      ? shownSize(done)
      : `${shownSize(done)}/${shownSize(Math.max(bytes, done))}`;
  const rate = elapsedMs > 0 ? done / (elapsedMs / 1000) : 0;
  const left = bytes === undefined || rate === 0 ? undefined : Math.max(0, bytes - done) / rate;
  const speed = rate === 0 ? "" : `  ${shownSize(Math.round(rate))}/s`;
  const tail = `  ${facts}${speed}${left === undefined ? "" : `  ${clockText(left)} left`}`;
  const room = Math.max(12, width - tail.length);
  const nameRoom = Math.min(32, Math.max(8, Math.floor(room / 2)));
  const name = fit(shown(bar.name), nameRoom);
  const barRoom = Math.max(4, room - nameRoom - 8);
  const part = bytes === undefined || bytes === 0 ? 0 : Math.min(1, done / bytes);
  const filled = Math.round(part * barRoom);
  const percent = bytes === undefined ? "    " : `${String(Math.floor(part * 100)).padStart(3)}%`;
  const drawnBar = `[${"#".repeat(filled)}${" ".repeat(barRoom - filled)}]`;
  return `${name} ${drawnBar} ${percent}${tail}`.slice(0, width);
}

/** The end of a name says more than its beginning. */
function fit(text: string, room: number): string {
  return text.length <= room ? text.padEnd(room) : `…${text.slice(text.length - room + 1)}`;
}

/** `0:05`, `12:30`, `3:00:00`. */
function clockText(seconds: number): string {
  const whole = Math.ceil(Math.min(seconds, 359_999));
  const parts = [Math.floor(whole / 60) % 60, whole % 60];
  const hours = Math.floor(whole / 3600);
  if (hours === 0) return `${parts[0]}:${String(parts[1]).padStart(2, "0")}`;
  return `${hours}:${parts.map((part) => String(part).padStart(2, "0")).join(":")}`;
}

/** Bars only where people look at them. */
export function createProgress(wanted: boolean, print: (line: string) => void): Progress {
  const { stderr, env } = process;
  if (!wanted || !stderr.isTTY || env.TERM === "dumb") return silentProgress(print);
  return terminalProgress(stderr, print, (env.NO_COLOR ?? "") === "");
}
