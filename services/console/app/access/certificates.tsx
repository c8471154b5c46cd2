// The client certificates by which a user proves who he is: registered from a file, removed.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { certificateOf } from "../../model/certificate-file.ts";
import { api } from "../api.ts";
import type { Certificate, User } from "../api-types.ts";
import { timeText } from "../format.ts";
import { Table } from "../list.tsx";
import { tell, textOf } from "../state.ts";
import { Button, Confirm, Failure } from "../ui.tsx";

const SHOWN_DIGITS = 16;

function CertificateRow(props: {
  readonly item: Certificate;
  readonly onRemove: () => void;
}): JSX.Element {
  const { subject, fingerprint, createdAt, expiresAt } = props.item;
  const isOver = expiresAt ? Date.parse(expiresAt) <= Date.now() : false;
  return (
    <tr>
      <th scope="row">
        {subject || "no name"} {isOver ? <span class="pill bad">expired</span> : null}
      </th>
      <td class="mono" title={fingerprint}>
        {fingerprint.slice(0, SHOWN_DIGITS)}…
      </td>
      <td>{timeText(createdAt)}</td>
      <td>{timeText(expiresAt)}</td>
      <td class="end">
        <Button kind="bad" label={`Remove certificate ${subject}`} onClick={props.onRemove}>
          Remove
        </Button>
      </td>
    </tr>
  );
}

export function Certificates(props: {
  readonly user: User;
  readonly onChanged: () => Promise<void>;
}): JSX.Element {
  const { user, onChanged } = props;
  const id = useId();
  const failure = useSignal("");
  const doomed = useSignal<Certificate | undefined>(undefined);
  const register = async (file: File): Promise<void> => {
    failure.value = "";
    try {
      const pem = certificateOf(new Uint8Array(await file.arrayBuffer()));
      await api.addCertificate(user.name, pem);
      tell("The certificate is registered");
    } catch (error) {
      failure.value = textOf(error);
    }
    await onChanged();
  };
  const items = user.certificates ?? [];
  return (
    <section class="card">
      <h2>Client certificates</h2>
      <p class="hint">Over HTTPS a client that shows one of them and signs nothing is this user.</p>
      {items.length === 0 ? (
        <p class="soft">None.</p>
      ) : (
        <Table
          label="Client certificates"
          columns={["Subject", "SHA-256", "Registered", "Expires", ["Actions", "actions"]]}
        >
          {items.map((item) => (
            <CertificateRow
              key={item.fingerprint}
              item={item}
              onRemove={() => {
                doomed.value = item;
              }}
            />
          ))}
        </Table>
      )}
      <div class="field">
        <label for={id}>Register a certificate (PEM or DER)</label>
        <input
          id={id}
          type="file"
          accept=".pem,.crt,.cer,.der,application/x-x509-user-cert"
          onChange={(event) => {
            const input = event.currentTarget;
            const file = input.files?.[0];
            if (file === undefined) return;
            void register(file).finally(() => {
              // So that the same file may be picked again.
              input.value = "";
            });
          }}
        />
      </div>
      <Failure text={failure.value} />
      {doomed.value === undefined ? null : (
        <Confirm
          title="Remove the certificate"
          text={`Whoever shows ${doomed.value.subject} is nobody from now on.`}
          action="Go on"
          onClose={() => {
            doomed.value = undefined;
          }}
          onConfirm={async () => {
            await api.deleteCertificate(user.name, doomed.value?.fingerprint ?? "");
            await onChanged();
          }}
        />
      )}
    </section>
  );
}
