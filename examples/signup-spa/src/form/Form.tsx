import { createContext, type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { fieldErrors, type Violation } from "registration-gateway-client";
import { useStrings } from "../strings";
import { Countdown, useCountdown } from "./Countdown";
import { Notice } from "./Notice";

/** What is wrong with each field, by its name. */
export type Errors = Record<string, { message: string }[]>;

/** What came of sending a form: nothing means that it is done, and the page goes on. */
export type Outcome = {
  message?: string;
  done?: boolean;
  /** Whether passwords and the other fields are to be as they were at first. */
  empty?: boolean;
  fields?: Errors;
  retryAfterSeconds?: number;
} | void;

type Sent<Data> = { data?: Data; error?: { networkError?: Error; message: string } };

export const FieldProblems = createContext<Errors>({});

/** The data of an answer. Throws where there is none: the network or the gateway failed, and sending again is safe. */
export function received<Data>(answer: Sent<Data>): Data {
  if (answer.data) return answer.data;
  throw answer.error ?? new Error("no answer");
}

/** What is wrong with one field. */
export function atField(name: string, message: string): Outcome {
  return { fields: { [name]: [{ message }] } };
}

/** What is wrong with the input of any operation, each at its field. */
export function invalid(result: { message: string; violations: readonly Violation[] }): Outcome {
  return { message: result.message, fields: fieldErrors(result.violations) };
}

type Props = {
  button: string;
  /** What the button is about, for screen readers, where several buttons have the same text. */
  about?: string;
  look?: "primary" | "secondary" | "primary danger";
  onSubmit: (values: Record<string, string>) => Promise<Outcome>;
  children?: ReactNode;
};

/** Sends once at a time, shows what is wrong at its field and above, and counts down where the gateway asks to wait. */
export function Form({ button, about, look = "primary", onSubmit, children }: Props) {
  const t = useStrings();
  const form = useRef<HTMLFormElement>(null);
  const underWay = useRef(false);
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Outcome>();
  const [errors, setErrors] = useState<Errors>({});
  const [locked, lock] = useCountdown();
  const [round, setRound] = useState(0);

  useEffect(() => {
    if (outcome) firstProblem(form.current!)?.focus();
  }, [outcome]);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (underWay.current || locked) return;
    underWay.current = true;
    setBusy(true);
    const values = Object.fromEntries(new FormData(event.currentTarget)) as Record<string, string>;
    const found = await onSubmit(values).catch((): Outcome => ({ message: t.unreachable }));
    underWay.current = false;
    setBusy(false);
    setOutcome(found);
    setErrors(found?.fields ?? {});
    if (found?.empty) setRound(round + 1);
    if (found?.retryAfterSeconds) lock(found.retryAfterSeconds);
  }

  function forget(event: FormEvent<HTMLFormElement>) {
    const { name } = event.target as HTMLInputElement;
    if (errors[name]) setErrors({ ...errors, [name]: [] });
  }

  const mended = outcome?.fields && Object.values(errors).every((each) => each.length === 0);
  const waited = outcome?.retryAfterSeconds && !locked;

  return (
    <form ref={form} noValidate aria-busy={busy} onSubmit={submit} onInput={forget}>
      {outcome?.message && !mended && !waited && (
        <Notice kind={outcome.done ? "success" : "problem"}>
          {outcome.message}
          <Countdown seconds={locked} />
        </Notice>
      )}
      <FieldProblems key={round} value={errors}>{children}</FieldProblems>
      <button className={look} aria-disabled={busy || locked > 0}>
        {busy && <span className="spinner" aria-hidden="true" />}
        {busy ? t.sending : button}
        {about && <span className="unseen"> {about}</span>}
      </button>
    </form>
  );
}

function firstProblem(form: HTMLFormElement) {
  return form.querySelector<HTMLElement>("[aria-invalid=true]") ?? form.querySelector<HTMLElement>(".notice");
}
