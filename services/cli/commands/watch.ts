// `dolium trace|events|top|support ...`: what happens, and what a helper asks for.
import { writeFileSync } from "node:fs";
import process from "node:process";
import { record } from "../admin-client/admin-client.ts";
import { adminVerb } from "../admin-client/admin-verb.ts";
import { type CommandGroup, UsageError } from "../command-line.ts";
import { interrupted } from "../stop-signal.ts";

export const traceCommand = adminVerb({
  name: "trace",
  summary: "Show requests of a gateway as they end.",
  positionals: "",
  options: {
    method: { kind: "text", value: "METHOD", help: "only this method" },
    bucket: { kind: "text", value: "BUCKET", help: "only this bucket" },
    user: { kind: "text", value: "NAME", help: "only this user" },
    status: { kind: "number", value: "N", minimum: 0, maximum: 599, help: "from this status on" },
    filter: { kind: "text", value: "TEXT", help: "only with this text, or this request id" },
    count: { kind: "number", value: "N", minimum: 1, maximum: 1_000_000, help: "stop after N" },
  },
  run: async ({ client, options, output }) => {
    const query = new URLSearchParams();
    for (const name of ["method", "bucket", "user", "status", "filter"] as const) {
      const value = options[name];
      if (value !== undefined) query.set(name, String(value));
    }
    let left = options.count ?? Number.POSITIVE_INFINITY;
    for await (const { event, data } of client.events(`/trace?${query}`, interrupted())) {
      const request = record(data);
      output.event({ event, ...request });
      if (event === "request") output.say(traceLine(request));
      if (event === "request") left -= 1;
      if (left <= 0) return undefined;
    }
    return undefined;
  },
});

function traceLine(request: Readonly<Record<string, unknown>>): string {
  const { time, status, method, operation, bucket = "", key = "", durationMs, user } = request;
  const path = JSON.stringify(`${String(bucket)}/${String(key)}`).slice(1, -1);
  return `${String(time)} ${String(status)} ${String(method)} ${String(operation)} ${path} ${String(durationMs)} ms ${String(user ?? "-")}`;
}

export const eventsCommand = adminVerb({
  name: "events",
  summary: "Show what happened lately.",
  positionals: "",
  options: {
    limit: { kind: "number", value: "N", minimum: 1, maximum: 1000, help: "events at most (100)" },
  },
  run: async ({ client, options }) => {
    const value = record(await client.call("GET", `/events?limit=${options.limit ?? 100}`));
    const items = Array.isArray(value.items) ? value.items.map(record) : [];
    const lines = items.map(
      ({ time, kind, message }) => `${String(time)} ${String(kind)} ${String(message)}`,
    );
    return { value, lines };
  },
});

export const topCommand = adminVerb({
  name: "top",
  summary: "Show requests, errors, bytes and latencies of a gateway each second.",
  positionals: "",
  options: {
    count: { kind: "number", value: "N", minimum: 1, maximum: 1_000_000, help: "stop after N" },
  },
  run: async ({ client, options, output }) => {
    let left = options.count ?? Number.POSITIVE_INFINITY;
    output.say("  req/s  errors   MB/s in  MB/s out    p50 ms    p99 ms  loop ms");
    for await (const { event, data } of client.events("/live", interrupted())) {
      if (event !== "second") continue;
      const second = record(data);
      output.event({ event, ...second });
      output.say(topLine(second));
      left -= 1;
      if (left <= 0) return undefined;
    }
    return undefined;
  },
});

function topLine(second: Readonly<Record<string, unknown>>): string {
  const number = (name: string): number => Number(second[name] ?? 0);
  const cells = [
    String(number("requests")).padStart(7),
    String(number("errors")).padStart(7),
    (number("bytesIn") / 1e6).toFixed(1).padStart(9),
    (number("bytesOut") / 1e6).toFixed(1).padStart(9),
    number("p50Ms").toFixed(1).padStart(9),
    number("p99Ms").toFixed(1).padStart(9),
    number("eventLoopLagMs").toFixed(0).padStart(8),
  ];
  return cells.join(" ");
}

export const supportGroup: CommandGroup = {
  name: "support",
  summary: "What a helper asks for.",
  verbs: [
    adminVerb({
      name: "support bundle",
      summary: "Write what a helper asks for into a file, without secrets; - for stdout.",
      positionals: "FILE",
      options: {},
      run: async ({ client, words: [file = ""] }) => {
        const lines: string[] = [];
        for await (const line of client.lines("/support-bundle", interrupted())) lines.push(line);
        if (lines.length === 0) throw new UsageError("the server sent nothing");
        const text = `${lines.join("\n")}\n`;
        if (file === "-") {
          process.stdout.write(text);
          return undefined;
        }
        writeFileSync(file, text, { mode: 0o600 });
        return { value: { file, lines: lines.length }, lines: [`wrote ${file}`] };
      },
    }),
  ],
};
