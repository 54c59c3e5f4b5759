import { useRef } from "react";
import { useMutation, useQuery } from "urql";
import { Checkbox, Choice, Field } from "../form/Field";
import { Form, type Outcome, received } from "../form/Form";
import { PasswordField } from "../form/PasswordField";
import {
  type Gender,
  PolicyDocument,
  type PolicyQuery,
  type Salutation,
  SignUpDocument,
  type SignUpMutation,
} from "../generated/operations";
import { Link } from "../Link";
import { pending } from "../pending";
import { go } from "../route";
import { useStrings } from "../strings";
import { unreachable } from "../unreachable";
import { Loading } from "./Loading";
import { Panel } from "./Panel";

export function SignUpPage() {
  const t = useStrings();
  const [answer, again] = useQuery({ query: PolicyDocument });
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

function SignUpForm({ policy }: { policy: PolicyQuery["registrationPolicy"] }) {
  const t = useStrings();
  const [, signUp] = useMutation(SignUpDocument);
  const key = useRef(crypto.randomUUID());

  async function submit(values: Record<string, string>): Promise<Outcome> {
    const { createCustomer } = received(await signUp({ input: { ...inputOf(values), idempotencyKey: key.current } }));
    // An answer has come: what is sent next is another attempt. Without one, the same key makes sending again safe.
    key.current = crypto.randomUUID();
    return outcome(createCustomer, values.email!);
  }

  return (
    <Form button={t.signUp.button} onSubmit={submit}>
      <div className="row">
        <Choice name="salutation" label={t.fields.salutation} choices={policy.salutations} labels={t.salutations} />
        <Choice name="gender" label={t.fields.gender} choices={policy.genders} labels={t.genders} />
      </div>
      <div className="row">
        <Field name="firstName" label={t.fields.firstName} autoComplete="given-name" maxLength={policy.nameMaxLength} />
        <Field name="lastName" label={t.fields.lastName} autoComplete="family-name" maxLength={policy.nameMaxLength} />
      </div>
      <Field
        name="email"
        label={t.fields.email}
        hint={policy.confirmationRequired && t.signUp.emailHint}
        type="email"
        dir="ltr"
        autoComplete="email"
        maxLength={policy.emailMaxLength}
      />
      <Field name="dateOfBirth" label={t.fields.dateOfBirth} type="date" autoComplete="bday" optional />
      <PasswordField name="password" label={t.fields.password} rules={policy.password} autoComplete="new-password" />
      <PasswordField name="confirmPassword" label={t.fields.confirmPassword} autoComplete="new-password" />
      <Checkbox name="acceptedTerms" label={t.fields.terms} />
    </Form>
  );
}

function inputOf(values: Record<string, string>) {
  return {
    salutation: values.salutation as Salutation,
    gender: values.gender as Gender,
    firstName: values.firstName!,
    lastName: values.lastName!,
    email: values.email!,
    dateOfBirth: values.dateOfBirth || null,
    password: values.password!,
    confirmPassword: values.confirmPassword!,
    acceptedTerms: values.acceptedTerms === "on",
  };
}

/** What each member of the union means for the form; the compiler asks for all of them. */
function outcome(result: SignUpMutation["createCustomer"], email: string): Outcome {
  switch (result.__typename) {
    case "CreateCustomerSuccess":
      return wait(result.confirmation?.expiresAt);
    case "RegistrationAccepted":
      return wait();
    case "EmailTakenError":
      return { message: result.message, violations: [{ path: ["email"], message: result.message }] };
    case "InvalidInputError":
    case "TooManyAttemptsError":
    case "IdempotencyConflictError":
      return result;
    default:
      return unreachable(result);
  }

  function wait(expiresAt?: string) {
    pending.set({ email, expiresAt });
    go("/waiting");
  }
}
