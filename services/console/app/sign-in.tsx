// Signing in, by an access key and its secret or at an identity provider. The secret goes to the
// server once and is kept nowhere.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { api, apiUrl } from "./api.ts";
import icon from "./icon.svg";
import { keepPlace } from "./return-place.ts";
import { session, textOf } from "./state.ts";
import { Button, Failure, Field } from "./ui.tsx";

export function SignIn(props: {
  readonly providers: readonly string[];
  /** What to say at first; empty: nothing. */
  readonly refusal: string;
}): JSX.Element {
  const accessKeyId = useSignal("");
  const secret = useSignal("");
  const failure = useSignal(props.refusal);
  const submit = async (): Promise<void> => {
    failure.value = "";
    try {
      session.value = await api.signIn(accessKeyId.value.trim(), secret.value);
    } catch (error) {
      secret.value = "";
      failure.value = textOf(error);
    }
  };
  return (
    <main class="sign-in">
      <div class="card">
        <h1 class="brand">
          <img src={icon} alt="" />
          Dolium
        </h1>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void submit();
          }}
        >
          <Field
            label="Access key"
            name="username"
            autocomplete="username"
            required
            focus
            value={accessKeyId.value}
            onInput={(value) => {
              accessKeyId.value = value;
            }}
          />
          <Field
            label="Secret key"
            name="password"
            type="password"
            autocomplete="current-password"
            value={secret.value}
            onInput={(value) => {
              secret.value = value;
            }}
          />
          <Failure text={failure.value} />
          <Button type="submit" kind="main">
            Sign in
          </Button>
        </form>
        {props.providers.map((name) => (
          <p key={name} class="actions">
            <a
              class="button"
              href={apiUrl(`/session/oidc/${encodeURIComponent(name)}`)}
              onClick={() => keepPlace(location.hash)}
            >
              Sign in with {name}
            </a>
          </p>
        ))}
      </div>
    </main>
  );
}
