import { ChangePasswordDocument, type ChangePasswordMutation } from "registration-gateway-client";
import { useMutation } from "urql";
import { atField, Form, invalid, type Outcome, received } from "../form/Form";
import { PasswordField, type PasswordRules } from "../form/PasswordField";
import { session } from "../session";
import { type Strings, useStrings } from "../strings";
import { unreachable } from "../unreachable";

export function PasswordCard({ rules }: { rules: PasswordRules }) {
  const t = useStrings();
  const [, change] = useMutation(ChangePasswordDocument);

  async function submit({ password, newPassword, confirmPassword }: Record<string, string>) {
    const input = { password: password!, newPassword: newPassword!, confirmPassword: confirmPassword! };
    return outcome(received(await change({ input })).changePassword, t);
  }

  return (
    <section className="card" id="password">
      <h2>{t.password.title}</h2>
      <p>{t.password.lead}</p>
      <Form button={t.password.button} onSubmit={submit}>
        <PasswordField name="password" label={t.fields.currentPassword} autoComplete="current-password" />
        <PasswordField name="newPassword" label={t.fields.newPassword} rules={rules} autoComplete="new-password" />
        <PasswordField name="confirmPassword" label={t.fields.confirmNewPassword} autoComplete="new-password" />
      </Form>
    </section>
  );
}

function outcome(result: ChangePasswordMutation["changePassword"], t: Strings): Outcome {
  switch (result.__typename) {
    case "ChangePasswordSuccess":
      session.forgetAccessToken(); // the gateway refuses it from now on
      return { message: t.password.done, done: true, empty: true };
    case "BadCredentialsError":
      return atField("password", t.wrongPassword);
    case "InvalidInputError":
      return invalid(result);
    case "TooManyAttemptsError":
      return result;
    default:
      return unreachable(result);
  }
}
