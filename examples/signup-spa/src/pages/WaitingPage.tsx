import { useEffect } from "react";
import {
  ConfirmCustomerDocument,
  type ConfirmCustomerMutation,
  RegistrationPolicyDocument,
  FollowRegistrationDocument,
  ResendConfirmationDocument,
  type ResendConfirmationMutation,
} from "registration-gateway-client";
import { useMutation, useQuery, useSubscription } from "urql";
import { Field } from "../form/Field";
import { atField, Form, invalid, type Outcome, received } from "../form/Form";
import { Link } from "../Link";
import { pending } from "../pending";
import { go } from "../route";
import { type Strings, useDate, useStrings } from "../strings";
import { unreachable } from "../unreachable";
import { Panel } from "./Panel";
import { SignUpPage } from "./SignUpPage";

/** The mail is on its way: here its code is typed, or this tab waits until its link was opened somewhere. */
export function WaitingPage() {
  const t = useStrings();
  const date = useDate();
  const waiting = pending.get();
  useConfirmation(waiting?.handle);
  if (!waiting) return <SignUpPage />;
  const { email, handle, expiresAt } = waiting;
  const lead = (
    <>
      {t.waiting.lead} <b dir="ltr">{email}</b>
    </>
  );
  return (
    <Panel title={t.waiting.title} lead={lead} step={1}>
      <p>
        {handle ? t.waiting.next : t.waiting.nextLink}{" "}
        {expiresAt && t.waiting.until(date(expiresAt, { dateStyle: "long", timeStyle: "short" }))}
      </p>
      {handle && <CodeForm handle={handle} />}
      <hr />
      <p>{t.waiting.missing}</p>
      <ResendForm email={email} />
      <p className="instead">
        <Link to="/sign-in">{t.waiting.confirmed}</Link>
      </p>
      <p className="instead">
        <Link to="/">{t.waiting.other}</Link>
      </p>
    </Panel>
  );
}

/** Moves on as soon as the address is confirmed, on whatever device the link of the mail was opened. */
function useConfirmation(handle = "") {
  const t = useStrings();
  const [{ data, fetching }, again] = useSubscription({ query: FollowRegistrationDocument, variables: { handle }, pause: !handle });
  const state = data?.registration?.state;
  const isOver = data !== undefined && state !== "PENDING";

  useEffect(() => {
    if (state === "CONFIRMED") go("/sign-in", t.waiting.done);
  }, [state, t]);

  // A stream lasts for some minutes at most, and ends when the network changes.
  useEffect(() => {
    if (!handle || fetching || isOver) return;
    const timer = setTimeout(again, AGAIN);
    return () => clearTimeout(timer);
  }, [handle, fetching, isOver, again]);
}

const AGAIN = 2000; // milliseconds
const DIGITS = 6;

function CodeForm({ handle }: { handle: string }) {
  const t = useStrings();
  const [, confirm] = useMutation(ConfirmCustomerDocument);

  async function submit({ code }: Record<string, string>) {
    return confirmed(received(await confirm({ input: { code, handle } })).confirmCustomer, t);
  }

  return (
    <Form button={t.waiting.confirm} onSubmit={submit}>
      <Field
        name="code"
        label={t.waiting.code}
        className="code"
        dir="ltr"
        inputMode="numeric"
        autoComplete="one-time-code"
        maxLength={DIGITS}
        onChange={({ target }) => target.value.length === DIGITS && target.form?.requestSubmit()}
      />
    </Form>
  );
}

function confirmed(result: ConfirmCustomerMutation["confirmCustomer"], t: Strings): Outcome {
  switch (result.__typename) {
    case "ConfirmCustomerSuccess":
      return go("/sign-in", t.waiting.done);
    case "ConfirmationCodeError":
      return atField("code", result.attemptsLeft ? `${result.message} ${t.waiting.left(result.attemptsLeft)}` : t.waiting.ended);
    case "InvalidInputError":
      return invalid(result);
    case "ConfirmationTokenError":
      return result;
    default:
      return unreachable(result);
  }
}

function ResendForm({ email }: { email: string }) {
  const t = useStrings();
  const [, resend] = useMutation(ResendConfirmationDocument);
  const [{ data }] = useQuery({ query: RegistrationPolicyDocument });
  const pause = data?.registrationPolicy.resendPauseSeconds;

  async function submit() {
    return resent(received(await resend({ input: { email } })).resendConfirmation, t, pause);
  }

  return <Form button={t.waiting.resend} look="secondary" onSubmit={submit} />;
}

function resent(result: ResendConfirmationMutation["resendConfirmation"], t: Strings, pause?: number): Outcome {
  switch (result.__typename) {
    case "ResendConfirmationAccepted":
      return { message: `${result.message} ${t.waiting.newest}`, done: true, retryAfterSeconds: pause };
    case "InvalidInputError":
      return invalid(result);
    case "TooManyAttemptsError":
      return result;
    default:
      return unreachable(result);
  }
}
