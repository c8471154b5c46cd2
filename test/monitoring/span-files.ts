// An SDK of OpenTelemetry for the processes of a test, loaded as operators do: by `--import` in
// NODE_OPTIONS. Each process appends its spans, one JSON object a line, to a file of its own in the
// folder that DOLIUM_TEST_SPANS names.
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import {
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanExporter,
} from "@opentelemetry/sdk-trace-node";

export interface WrittenSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly name: string;
  readonly kind: number;
  readonly pid: number;
  readonly attributes: Readonly<Record<string, unknown>>;
}

const folder = process.env.DOLIUM_TEST_SPANS ?? "";

const exporter: SpanExporter = {
  export(spans, done): void {
    const lines = spans.map((span) => `${JSON.stringify(written(span))}\n`);
    appendFileSync(join(folder, `${process.pid}.jsonl`), lines.join(""));
    done({ code: 0 });
  },
  shutdown: async () => undefined,
};

function written(span: ReadableSpan): WrittenSpan {
  const { traceId, spanId } = span.spanContext();
  return {
    ...{ traceId, spanId, name: span.name, kind: span.kind, pid: process.pid },
    parentId: span.parentSpanContext?.spanId,
    attributes: span.attributes,
  };
}

if (folder !== "") {
  new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
}
