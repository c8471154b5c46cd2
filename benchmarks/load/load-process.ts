// A process of its own that sends requests: takes a job over IPC, answers with its result, and ends
// with its parent.
import process from "node:process";
import type { Job, LoadAnswer } from "./job.ts";
import { runJob } from "./run-job.ts";

process.on("message", (job: Job) => {
  runJob(job).then(
    (result) => answer({ kind: "done", result }),
    (error: unknown) => answer({ kind: "failed", reason: String(error) }),
  );
});
process.on("disconnect", () => process.exit(0));

function answer(message: LoadAnswer): void {
  process.send?.(message);
}
