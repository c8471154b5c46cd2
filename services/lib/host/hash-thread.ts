// The program of a hash thread: hashes the blocks of each stream in the order they come, says so of
// each block, since its memory is used again then, and answers the end of a stream with the
// digests.
import { createHash, type Hash } from "node:crypto";
import { parentPort } from "node:worker_threads";
import type { FromHashThread, ToHashThread } from "./hash-threads.ts";

const streams = new Map<number, readonly Hash[]>();

function answer(message: FromHashThread): void {
  parentPort?.postMessage(message);
}

function take(message: ToHashThread): void {
  const { stream } = message;
  switch (message.kind) {
    case "open":
      streams.set(
        stream,
        message.names.map((name) => createHash(name)),
      );
      return;
    case "block": {
      const view = new Uint8Array(message.memory, 0, message.length);
      for (const hash of streams.get(stream) ?? []) hash.update(view);
      answer({ kind: "hashed", stream });
      return;
    }
    case "end": {
      const digests = (streams.get(stream) ?? []).map((hash) => hash.digest());
      streams.delete(stream);
      answer({ kind: "digests", stream, digests });
      return;
    }
    case "drop":
      streams.delete(stream);
      return;
  }
}

parentPort?.on("message", take);
