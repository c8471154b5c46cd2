// A bucket of the run's own on a target: made before, emptied and removed after it.
import { randomBytes } from "node:crypto";
import type { Endpoint, Job } from "../load/job.ts";
import { RequestSigner } from "../load/request-signer.ts";
import { S3Requests } from "../load/s3-requests.ts";

export class BenchBucket {
  readonly name = `dolium-bench-${randomBytes(6).toString("hex")}`;
  readonly endpoint: Endpoint;
  readonly #requests: S3Requests;

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
    const job: Job = {
      endpoint,
      bucket: this.name,
      operation: "put",
      size: 0,
      connections: 1,
      prefix: "",
      stored: 0,
      newPrefix: "",
      durationMs: 0,
      operations: 0,
      payload: "unsigned",
    };
    this.#requests = new S3Requests(job, new RequestSigner(endpoint));
  }

  async create(): Promise<void> {
    await this.#requests.send({ method: "PUT" });
  }

  /** Everything in it goes first, uploads that were not completed too. */
  async remove(): Promise<void> {
    for (;;) {
      const { text } = await this.#requests.send({
        method: "GET",
        query: "list-type=2",
        take: "text",
      });
      const keys = [...text.matchAll(/<Key>([^<]+)<\/Key>/g)].map(([, key]) => key ?? "");
      for (const key of keys) await this.#requests.send({ method: "DELETE", key });
      if (keys.length === 0) break;
    }
    const uploads = await this.#requests.send({ method: "GET", query: "uploads=", take: "text" });
    const pattern = /<Key>([^<]+)<\/Key>\s*<UploadId>([^<]+)<\/UploadId>/g;
    for (const [, key = "", id = ""] of uploads.text.matchAll(pattern)) {
      const query = `uploadId=${encodeURIComponent(id)}`;
      await this.#requests.send({ method: "DELETE", key, query });
    }
    await this.#requests.send({ method: "DELETE" });
  }

  close(): void {
    this.#requests.close();
  }
}
