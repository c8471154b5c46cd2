// Sends bytes to a signed address and tells how far it is. Failures of the network and of a busy
// server are tried again after growing pauses; refusals are not.
import { ApiError } from "../api.ts";
import type { PresignRequest } from "../api-types.ts";
import { s3Failure, signedUrl } from "../s3.ts";

const ATTEMPTS = 5;
const PAUSE_MS = 500;

export interface Sending {
  readonly wanted: PresignRequest;
  readonly body: Blob;
  readonly contentType: string;
  readonly signal: AbortSignal;
  /** Bytes of this body that left so far; may fall back when it is sent again. */
  readonly onBytes: (bytes: number) => void;
}

function sendOnce(url: string, sending: Sending): Promise<string> {
  const { wanted, body, contentType, signal, onBytes } = sending;
  // It may have been stopped while the address was signed; such a signal calls no listener.
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = (): void => request.abort();
    const end = (act: () => void): void => {
      signal.removeEventListener("abort", stop);
      act();
    };
    signal.addEventListener("abort", stop);
    request.upload.onprogress = (event) => onBytes(event.loaded);
    request.onabort = () => end(() => reject(new DOMException("stopped", "AbortError")));
    request.onerror = () =>
      end(() => reject(new ApiError(0, "Unreachable", "The connection broke.")));
    request.onload = () =>
      end(() => {
        if (request.status === 200) resolve(request.getResponseHeader("etag") ?? "");
        else reject(s3Failure(request.status, request.responseText));
      });
    request.open(wanted.method, url);
    if (contentType !== "") request.setRequestHeader("content-type", contentType);
    request.send(body);
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(new DOMException("stopped", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}

function isPassing(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status >= 500);
}

/** Sends one body; its ETag. Throws ApiError, or AbortError when the signal says stop. */
export async function send(sending: Sending): Promise<string> {
  const { signal, body, onBytes, wanted } = sending;
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      const etag = await sendOnce(await signedUrl(wanted), sending);
      onBytes(body.size);
      return etag;
    } catch (error) {
      onBytes(0);
      if (!isPassing(error) || attempt >= ATTEMPTS) throw error;
      await pause(PAUSE_MS * 2 ** attempt, signal);
    }
  }
}
