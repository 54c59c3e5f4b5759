import { RequestPasswordResetDocument, type RequestPasswordResetMutation } from "registration-gateway-client";
import { useMutation } from "urql";
import { Field } from "../form/Field";
import { Form, invalid, type Outcome, received } from "../form/Form";
import { Link } from "../Link";
import { useStrings } from "../strings";
import { unreachable } from "../unreachable";
import { Panel } from "./Panel";

/** Asks for the mail; the page behind its link, where the new password is chosen, is the gateway's. */
export function ForgottenPage() {
  const t = useStrings();
  const [, ask] = useMutation(RequestPasswordResetDocument);

  async function submit({ email }: Record<string, string>) {
    return outcome(received(await ask({ input: { email: email! } })).requestPasswordReset);
  }

  return (
    <Panel title={t.forgotten.title} lead={t.forgotten.lead} step={2}>
      <Form button={t.forgotten.button} onSubmit={submit}>
        <Field name="email" label={t.fields.email} type="email" dir="ltr" autoComplete="username" />
      </Form>
      <p className="instead">
        <Link to="/sign-in">{t.forgotten.back}</Link>
      </p>
    </Panel>
  );
}

function outcome(result: RequestPasswordResetMutation["requestPasswordReset"]): Outcome {
  switch (result.__typename) {
    case "RequestPasswordResetAccepted":
      return { message: result.message, done: true };
    case "InvalidInputError":
      return invalid(result);
    case "TooManyAttemptsError":
      return result;
    default:
      return unreachable(result);
  }
}
