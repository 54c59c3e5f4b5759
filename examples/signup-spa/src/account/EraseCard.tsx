import { useRef } from "react";
import { AnonymizeCustomerDocument, type AnonymizeCustomerMutation } from "registration-gateway-client";
import { useMutation } from "urql";
import { atField, Form, type Outcome, received } from "../form/Form";
import { PasswordField } from "../form/PasswordField";
import { go } from "../route";
import { session } from "../session";
import { type Strings, useStrings } from "../strings";
import { unreachable } from "../unreachable";

export function EraseCard() {
  const t = useStrings();
  const dialog = useRef<HTMLDialogElement>(null);
  const [, erase] = useMutation(AnonymizeCustomerDocument);

  async function submit({ password }: Record<string, string>) {
    return outcome(received(await erase({ input: { password } })).anonymizeCustomer, t);
  }

  return (
    <section className="card" id="erase">
      <h2>{t.erase.title}</h2>
      <p>{t.erase.lead}</p>
      <button type="button" className="secondary danger" onClick={() => dialog.current!.showModal()}>
        {t.erase.open}
      </button>
      <dialog ref={dialog} aria-labelledby="erase-title">
        <h2 id="erase-title">{t.erase.question}</h2>
        <p>{t.erase.lead}</p>
        <Form button={t.erase.button} look="primary danger" onSubmit={submit}>
          <PasswordField name="password" label={t.fields.currentPassword} autoComplete="current-password" />
        </Form>
        <button type="button" className="secondary" onClick={() => dialog.current!.close()}>
          {t.erase.cancel}
        </button>
      </dialog>
    </section>
  );
}

function outcome(result: AnonymizeCustomerMutation["anonymizeCustomer"], t: Strings): Outcome {
  switch (result.__typename) {
    case "AnonymizeCustomerSuccess":
      session.close();
      return go("/", t.erase.done);
    case "BadCredentialsError":
      return atField("password", t.wrongPassword);
    case "TooManyAttemptsError":
      return result;
    default:
      return unreachable(result);
  }
}
