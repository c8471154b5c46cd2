// Tracing by OpenTelemetry's API, where the operator loaded an SDK before this program
// (`--import` in NODE_OPTIONS). Without one not even the API is loaded.
// Spans carry names of methods and operations, codes, sizes and the request id: no keys of objects,
// nothing secret. Source: OpenTelemetry specification; W3C Trace Context.
import type { Context, Span as OtelSpan } from "@opentelemetry/api";
import { isStoreError } from "../base/errors.ts";
import { pathOf } from "../ports/rpc-access.ts";
import type { Span, SpanAttributes, Tracing } from "../ports/tracing.ts";
import type { CallOptions } from "../ports/transport.ts";
import type { CallObserver } from "./rpc-observer.ts";

/** Where the API's first major version keeps what was registered. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

/** Undefined where no SDK was loaded. */
export async function createTracing(version: string): Promise<Tracing | undefined> {
  if (!Reflect.has(globalThis, REGISTERED)) return undefined;
  const api = await import("@opentelemetry/api");
  const { context, propagation, trace, SpanKind, SpanStatusCode } = api;
  const tracer = trace.getTracer("dolium", version);

  function wrapped(span: OtelSpan): Span {
    return {
      rename: (name) => void span.updateName(name),
      add: (attributes) => void span.setAttributes({ ...attributes }),
      end: (error) => {
        if (error !== undefined) {
          span.setStatus({ code: SpanStatusCode.ERROR, message: codeOf(error) });
        }
        span.end();
      },
    };
  }
  return {
    async serve({ name, carrier, attributes }, work) {
      const from: Context = propagation.extract(api.ROOT_CONTEXT, carrier);
      const options = { kind: SpanKind.SERVER, attributes: { ...attributes } };
      const otel = tracer.startSpan(name, options, from);
      const span = endedOnce(wrapped(otel));
      return context.with(trace.setSpan(from, otel), async () => {
        try {
          return await work(span);
        } catch (error) {
          span.end(error);
          throw error;
        } finally {
          span.end();
        }
      });
    },
    call(name, attributes) {
      const active = context.active();
      if (trace.getSpan(active) === undefined) return undefined;
      const options = { kind: SpanKind.CLIENT, attributes: { ...attributes } };
      const otel = tracer.startSpan(name, options, active);
      const carrier: Record<string, string> = {};
      propagation.inject(trace.setSpan(active, otel), carrier);
      return { span: wrapped(otel), carrier };
    },
  };
}

/** Texts of errors may name keys of objects; codes do not. */
function codeOf(error: unknown): string {
  if (typeof error === "string") return error;
  return isStoreError(error) ? error.code : "internal";
}

function endedOnce(span: Span): Span {
  let isOver = false;
  return {
    rename: span.rename,
    add: span.add,
    end: (error) => {
      if (!isOver) span.end(error);
      isOver = true;
    },
  };
}

/** Makes a span of each call that is made within one. */
export function tracedCalls(tracing: Tracing): CallObserver {
  return {
    begin({ address, method, options }) {
      const attributes: SpanAttributes = {
        "rpc.system": "grpc",
        "rpc.method": pathOf(method),
        "server.address": address,
      };
      const begun = tracing.call(pathOf(method).slice(1), attributes);
      if (begun === undefined) return { ended: () => undefined };
      const { span, carrier } = begun;
      const traced: CallOptions = { ...options, trace: carrier };
      return {
        options: traced,
        ended: ({ code, sentBytes, receivedBytes }) => {
          span.add({
            "dolium.code": code,
            "dolium.sent": sentBytes,
            "dolium.received": receivedBytes,
          });
          span.end(code === "ok" ? undefined : code);
        },
      };
    },
  };
}
