// Traces as a port: what one request did in every process that it went through. Without it nothing
// is traced and nothing is paid for. Who is within a span is known by the flow of control, so only
// the borders name it: a request that comes in, a call that goes out.

/** W3C `traceparent` and `tracestate`, by header name; empty: no trace. */
export type TraceCarrier = Readonly<Record<string, string>>;

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface Span {
  /** What it turned out to be. */
  rename(name: string): void;
  add(attributes: SpanAttributes): void;
  /** `error`: what it failed of; undefined: it went well. Once. */
  end(error?: unknown): void;
}

export interface Serving {
  readonly name: string;
  /** Where it came from. */
  readonly carrier: TraceCarrier;
  readonly attributes: SpanAttributes;
}

export interface Tracing {
  /**
   * Runs `work` within a span of a request that came in; ends the span unless `work` did, with what
   * `work` throws.
   */
  serve<T>(serving: Serving, work: (span: Span) => Promise<T>): Promise<T>;
  /**
   * A call that goes out of the span that is running, and what carries it there; undefined outside
   * of any span.
   */
  call(
    name: string,
    attributes: SpanAttributes,
  ): { readonly span: Span; readonly carrier: TraceCarrier } | undefined;
}

const CARRIER_HEADERS = ["traceparent", "tracestate"] as const;

/** What headers, or a call's metadata, say of the trace they belong to. */
export function traceCarrier(read: (name: string) => unknown): TraceCarrier {
  const found = CARRIER_HEADERS.flatMap((name) => {
    const value = read(name);
    return typeof value === "string" ? [[name, value] as const] : [];
  });
  return Object.fromEntries(found);
}
