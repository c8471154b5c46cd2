// The requests of the gateway that serves this page, as they end: the newest first, a bounded
// number of them, filtered by the server.
import { type Signal, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { apiUrl, checkSession } from "../api.ts";
import type { TracedRequest } from "../api-types.ts";
import { keyText, milliseconds } from "../format.ts";
import { attempt } from "../state.ts";
import { Button, Choice, Failure, Field } from "../ui.tsx";

const REQUESTS_MAX = 200;

function Filter(props: {
  readonly isOn: Signal<boolean>;
  readonly onFilter: (query: string) => void;
}): JSX.Element {
  const filter = useSignal("");
  const status = useSignal("0");
  const { isOn } = props;
  return (
    <form
      class="tools"
      onSubmit={(event) => {
        event.preventDefault();
        const query = new URLSearchParams({ status: status.value });
        if (filter.value !== "") query.set("filter", filter.value);
        props.onFilter(query.toString());
      }}
    >
      <div class="inline-field">
        <Field
          label="Operation, bucket, key or error"
          value={filter.value}
          onInput={(value) => {
            filter.value = value;
          }}
        />
      </div>
      <div class="inline-field">
        <Choice
          label="Answers"
          value={status.value}
          options={[
            ["0", "all"],
            ["400", "from 400 on"],
            ["500", "from 500 on"],
          ]}
          onChange={(value) => {
            status.value = value;
          }}
        />
      </div>
      <Button type="submit">Filter</Button>
      <Button
        onClick={() => {
          isOn.value = !isOn.value;
        }}
      >
        {isOn.value ? "Hold" : "Go on"}
      </Button>
    </form>
  );
}

function Table({ requests }: { readonly requests: readonly TracedRequest[] }): JSX.Element {
  return (
    <div class="trace" tabIndex={0} role="region" aria-label="Requests as they end">
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Operation</th>
            <th scope="col">What</th>
            <th scope="col">User</th>
            <th scope="col">Status</th>
            <th scope="col" class="number">
              Took
            </th>
          </tr>
        </thead>
        <tbody>
          {requests.map((request, at) => (
            <tr key={`${request.requestId ?? at}`}>
              <td class="mono">{request.time.slice(11, 23)}</td>
              <td>{request.operation}</td>
              <td>{keyText([request.bucket, request.key].filter(Boolean).join("/"))}</td>
              <td>{request.user ?? ""}</td>
              <td>
                {request.status} {request.errorCode ?? ""}
              </td>
              <td class="number">{milliseconds(request.durationMs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Trace(): JSX.Element {
  const requests = useSignal<readonly TracedRequest[]>([]);
  const asked = useSignal("");
  const isOn = useSignal(true);
  const failure = useSignal("");
  useEffect(() => {
    if (!isOn.value) return undefined;
    const source = new EventSource(apiUrl(`/trace?${asked.value}`));
    source.addEventListener("request", (event) => {
      // Our own server's event, of one release with this page.
      const request = JSON.parse(event.data) as TracedRequest;
      requests.value = [request, ...requests.value].slice(0, REQUESTS_MAX);
    });
    source.onerror = () => {
      failure.value = "The stream broke; it is tried again.";
      // The browser tries again unless it was refused.
      if (source.readyState === EventSource.CLOSED) void attempt(checkSession);
    };
    source.onopen = () => {
      failure.value = "";
    };
    return () => source.close();
  }, [asked.value, isOn.value]);
  return (
    <section class="card">
      <h2>Requests</h2>
      <Filter
        isOn={isOn}
        onFilter={(query) => {
          requests.value = [];
          asked.value = query;
        }}
      />
      <Failure text={failure.value} />
      <Table requests={requests.value} />
    </section>
  );
}
