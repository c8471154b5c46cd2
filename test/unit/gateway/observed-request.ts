// A request as observers are told of it: an object read by nobody who is known.
import type { ObservedRequest } from "../../../services/gateway/observer.ts";

export function observedRequest(change: Partial<ObservedRequest> = {}): ObservedRequest {
  return {
    requestId: "R",
    endedMs: 0,
    operation: "GetObject",
    method: "GET",
    bucket: "b",
    key: "k",
    status: 200,
    errorCode: undefined,
    seconds: 0,
    receivedBytes: 0,
    sentBytes: 0,
    accessKeyId: undefined,
    userId: undefined,
    remoteAddress: "192.0.2.1",
    ...change,
  };
}
