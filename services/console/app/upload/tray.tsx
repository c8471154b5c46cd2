// The list of transfers at the edge of every page: one bar for all, one for each file, what failed
// and why.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { bytesText, durationText, keyText } from "../format.ts";
import { Button, Icon, Meter } from "../ui.tsx";
import { uploads } from "./queue.ts";
import type { Upload, UploadState } from "./upload.ts";

const ROWS_MAX = 100;
const ORDER: Readonly<Record<UploadState, number>> = {
  failed: 0,
  lost: 1,
  running: 2,
  paused: 3,
  waiting: 4,
  done: 5,
};
const TEXTS: Readonly<Record<UploadState, string>> = {
  waiting: "waiting",
  running: "",
  paused: "paused",
  failed: "failed",
  done: "done",
  lost: "interrupted: pick the file again to go on",
};

function PickAgain({ upload }: { readonly upload: Upload }): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        type="file"
        hidden
        ref={input}
        aria-label={`File of ${keyText(upload.target.key)}`}
        data-pick="again"
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          if (file !== undefined) uploads.takeUp(upload, file);
        }}
      />
      <Button onClick={() => input.current?.click()}>Pick file</Button>
    </>
  );
}

function UploadRow({ upload }: { readonly upload: Upload }): JSX.Element {
  const state = upload.state.value;
  const name = keyText(upload.target.key);
  const share =
    upload.size === 0 ? (state === "done" ? 1 : 0) : upload.sentBytes.value / upload.size;
  return (
    <li data-state={state}>
      <div class="row">
        <span class="file" title={`${upload.target.bucket}/${name}`}>
          {name}
        </span>
        {state === "lost" ? <PickAgain upload={upload} /> : null}
        {state === "running" || state === "waiting" ? (
          <Button kind="quiet" label={`Pause ${name}`} onClick={() => upload.pause()}>
            Pause
          </Button>
        ) : null}
        {state === "paused" || state === "failed" ? (
          <Button onClick={() => uploads.resume(upload)}>
            {state === "failed" ? "Retry" : "Resume"}
          </Button>
        ) : null}
        <Button kind="quiet" label={`Remove ${name}`} onClick={() => uploads.remove(upload)}>
          <Icon name="close" />
        </Button>
      </div>
      {state === "running" || state === "paused" ? (
        <Meter label={`Sent of ${name}`} value={share} />
      ) : (
        <span class={state === "failed" ? "pill bad" : "soft"}>
          {TEXTS[state]} · {bytesText(upload.size)}
        </span>
      )}
      {upload.failure.value === "" ? null : <p class="failure">{upload.failure.value}</p>}
    </li>
  );
}

function Summary(): JSX.Element {
  const { totalBytes, sentBytes, speed, running } = uploads;
  const left = totalBytes.value - sentBytes.value;
  const rate = speed.value;
  const text = `${bytesText(sentBytes.value)} of ${bytesText(totalBytes.value)}`;
  const pace =
    running.value > 0 && rate > 0 ? ` · ${bytesText(rate)}/s · ${durationText(left / rate)}` : "";
  const share = totalBytes.value === 0 ? 1 : sentBytes.value / totalBytes.value;
  return <Meter label="Sent of all" value={share} text={text + pace} />;
}

export function UploadTray(): JSX.Element | null {
  const isSmall = useSignal(false);
  const list = uploads.list.value;
  if (list.length === 0) return null;
  const count = (state: UploadState): number =>
    list.filter((one) => one.state.value === state).length;
  const failed = count("failed");
  const isPaused = uploads.running.value + uploads.waiting.value === 0 && count("paused") > 0;
  const rows = list.toSorted((a, b) => ORDER[a.state.value] - ORDER[b.state.value]);
  return (
    <section class="tray" aria-label="Uploads">
      <header>
        <h2>
          Uploads: {count("done")} of {list.length} done
          {failed > 0 ? `, ${failed} failed` : ""}
        </h2>
        {isPaused || failed > 0 ? (
          <Button onClick={() => uploads.resumeAll()}>
            {failed > 0 ? "Retry all" : "Resume all"}
          </Button>
        ) : null}
        {uploads.running.value > 0 ? (
          <Button onClick={() => uploads.pauseAll()}>Pause all</Button>
        ) : null}
        {count("done") > 0 ? <Button onClick={() => uploads.clearDone()}>Clear</Button> : null}
        <Button
          kind="quiet"
          label={isSmall.value ? "Show the list" : "Hide the list"}
          onClick={() => {
            isSmall.value = !isSmall.value;
          }}
        >
          <Icon name={isSmall.value ? "up" : "down"} />
        </Button>
      </header>
      <Summary />
      {isSmall.value ? null : (
        <ul>
          {rows.slice(0, ROWS_MAX).map((upload) => (
            <UploadRow key={upload.id} upload={upload} />
          ))}
          {rows.length > ROWS_MAX ? <li>and {rows.length - ROWS_MAX} more</li> : null}
        </ul>
      )}
    </section>
  );
}
