import { CreateAccessTokenDocument, type CreateAccessTokenMutation } from "registration-gateway-client";
import { useMutation } from "urql";
import { Field } from "../form/Field";
import { Form, type Outcome, received } from "../form/Form";
import { PasswordField } from "../form/PasswordField";
import { Link } from "../Link";
import { pending } from "../pending";
import { go } from "../route";
import { session } from "../session";
import { useStrings } from "../strings";
import { unreachable } from "../unreachable";
import { Panel } from "./Panel";

export function SignInPage() {
  const t = useStrings();
  const [, signIn] = useMutation(CreateAccessTokenDocument);

  async function submit({ email, password }: Record<string, string>) {
    const { createAccessToken } = received(await signIn({ input: { email: email!, password: password! } }));
    return outcome(createAccessToken, email!);
  }

  return (
    <Panel title={t.signIn.title} lead={t.signIn.lead} step={2}>
      <Form button={t.signIn.button} onSubmit={submit}>
        <Field
          name="email"
          label={t.fields.email}
          type="email"
          dir="ltr"
          autoComplete="username"
          defaultValue={pending.get()?.email}
        />
        <PasswordField name="password" label={t.fields.password} autoComplete="current-password" />
      </Form>
      <p className="instead">
        <Link to="/forgotten">{t.signIn.forgotten}</Link>
      </p>
      <p className="instead">
        {t.signIn.instead} <Link to="/">{t.signUp.button}</Link>
      </p>
    </Panel>
  );
}

function outcome(result: CreateAccessTokenMutation["createAccessToken"], email: string): Outcome {
  switch (result.__typename) {
    case "CreateAccessTokenSuccess":
      pending.clear();
      session.open(result.tokens.accessToken);
      return go("/account");
    case "EmailNotConfirmedError":
      pending.set({ email });
      return go("/waiting");
    case "BadCredentialsError":
    case "TooManyAttemptsError":
      return result;
    default:
      return unreachable(result);
  }
}
