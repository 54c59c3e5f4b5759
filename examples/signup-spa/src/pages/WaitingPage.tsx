import { useMutation } from "urql";
import { Form, type Outcome, received } from "../form/Form";
import { ResendConfirmationDocument, type ResendConfirmationMutation } from "../generated/operations";
import { Link } from "../Link";
import { pending } from "../pending";
import { go } from "../route";
import { useDate, useStrings } from "../strings";
import { unreachable } from "../unreachable";
import { Panel } from "./Panel";
import { SignUpPage } from "./SignUpPage";

export function WaitingPage() {
  const t = useStrings();
  const date = useDate();
  const [, resend] = useMutation(ResendConfirmationDocument);
  const waiting = pending.get();
  if (!waiting) return <SignUpPage />;
  const { email, expiresAt } = waiting;

  async function submit() {
    return outcome(received(await resend({ input: { email } })).resendConfirmation);
  }

  const lead = (
    <>
      {t.waiting.lead} <b dir="ltr">{email}</b>
    </>
  );
  return (
    <Panel title={t.waiting.title} lead={lead} step={1}>
      <p>
        {t.waiting.next} {expiresAt && t.waiting.until(date(expiresAt, { dateStyle: "long", timeStyle: "short" }))}
      </p>
      <button type="button" className="primary" onClick={() => go("/sign-in")}>
        {t.waiting.confirmed}
      </button>
      <hr />
      <p>{t.waiting.missing}</p>
      <Form button={t.waiting.resend} onSubmit={submit} />
      <p className="instead">
        <Link to="/">{t.waiting.other}</Link>
      </p>
    </Panel>
  );
}

function outcome(result: ResendConfirmationMutation["resendConfirmation"]): Outcome {
  switch (result.__typename) {
    case "ResendConfirmationAccepted":
      return { message: result.message, done: true };
    case "InvalidInputError":
    case "TooManyAttemptsError":
      return result;
    default:
      return unreachable(result);
  }
}
