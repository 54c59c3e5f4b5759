import { use, useRef } from "react";
import {
  type Execute,
  type Gender,
  RegistrationPolicyDocument,
  type Salutation,
  signUp,
  type SignUpResult,
} from "registration-gateway-client";
import { useClient, useQuery } from "urql";
import { Checkbox } from "../form/Field";
import { atField, type Errors, Form, type Outcome, received } from "../form/Form";
import { PasswordField } from "../form/PasswordField";
import { given, type Policy, PolicyField } from "../form/PolicyField";
import { Link } from "../Link";
import { pending } from "../pending";
import { go } from "../route";
import { Language, useStrings } from "../strings";
import { unreachable } from "../unreachable";
import { Loading } from "./Loading";
import { Panel } from "./Panel";

export function SignUpPage() {
  const t = useStrings();
  const [answer, again] = useQuery({ query: RegistrationPolicyDocument });
  const policy = answer.data?.registrationPolicy;
  return (
    <Panel title={t.signUp.title} lead={t.signUp.lead} step={0}>
      {policy ? <SignUpForm policy={policy} /> : <Loading failed={Boolean(answer.error)} again={again} />}
      <p className="instead">
        {t.signUp.instead} <Link to="/sign-in">{t.signIn.link}</Link>
      </p>
    </Panel>
  );
}

function SignUpForm({ policy }: { policy: Policy }) {
  const t = useStrings();
  const client = useClient();
  const key = useRef(crypto.randomUUID());
  const language = use(Language).toUpperCase();

  const execute: Execute = async (document, variables) => received(await client.mutation(document, variables));

  async function submit(values: Record<string, string>): Promise<Outcome> {
    const input = {
      ...inputOf(values),
      language: policy.languages.find((each) => each === language),
      idempotencyKey: key.current,
    };
    const { result, fields } = await signUp(execute, input);
    // An answer has come: what is sent next is another attempt. Without one, the same key makes sending again safe.
    key.current = crypto.randomUUID();
    return outcome(result, fields, values.email!);
  }

  return (
    <Form button={t.signUp.button} onSubmit={submit}>
      <div className="row">
        <PolicyField policy={policy} name="salutation" />
        <PolicyField policy={policy} name="gender" />
      </div>
      <div className="row">
        <PolicyField policy={policy} name="firstName" />
        <PolicyField policy={policy} name="lastName" />
      </div>
      <PolicyField policy={policy} name="email" hint={policy.confirmationRequired && t.signUp.emailHint} />
      <PolicyField policy={policy} name="dateOfBirth" />
      <PasswordField name="password" label={t.fields.password} rules={policy.password} autoComplete="new-password" />
      <PasswordField name="confirmPassword" label={t.fields.confirmPassword} autoComplete="new-password" />
      <Checkbox name="acceptedTerms" label={t.fields.terms} />
    </Form>
  );
}

function inputOf(values: Record<string, string>) {
  return {
    salutation: given<Salutation>(values.salutation),
    gender: given<Gender>(values.gender),
    firstName: given(values.firstName),
    lastName: given(values.lastName),
    email: values.email!,
    dateOfBirth: given(values.dateOfBirth),
    password: values.password!,
    confirmPassword: values.confirmPassword!,
    acceptedTerms: values.acceptedTerms === "on",
  };
}

/** What each member of the union means for the form; the compiler asks for all of them. */
function outcome(result: SignUpResult, fields: Errors, email: string): Outcome {
  switch (result.__typename) {
    case "CreateCustomerSuccess":
      return result.confirmation ? wait(result.handle, result.confirmation.expiresAt) : go("/sign-in");
    case "RegistrationAccepted":
      return wait(result.handle);
    case "EmailTakenError":
      return atField("email", result.message);
    case "InvalidInputError":
      return { message: result.message, fields };
    case "TooManyAttemptsError":
    case "IdempotencyConflictError":
      return result;
    default:
      return unreachable(result);
  }

  function wait(handle: string, expiresAt?: string) {
    pending.set({ email, handle, expiresAt });
    go("/waiting");
  }
}
