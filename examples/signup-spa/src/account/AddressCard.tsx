import { UpdateCustomerDocument } from "registration-gateway-client";
import { useMutation } from "urql";
import { Field } from "../form/Field";
import { Form, received } from "../form/Form";
import { PasswordField } from "../form/PasswordField";
import { useStrings } from "../strings";
import { type Props, updateOutcome } from "./ProfileCard";

export function AddressCard({ me, policy }: Props) {
  const t = useStrings();
  const [, update] = useMutation(UpdateCustomerDocument);

  async function submit({ email, password }: Record<string, string>) {
    const { updateCustomer } = received(await update({ input: { email, password } }));
    return updateOutcome(updateCustomer, t, { message: t.address.done(email!), done: true, empty: true });
  }

  return (
    <section className="card" id="address">
      <h2>{t.address.title}</h2>
      <p>
        {t.address.lead} <b dir="ltr">{me.email}</b>
      </p>
      <Form button={t.address.button} onSubmit={submit}>
        <Field
          name="email"
          label={t.fields.newEmail}
          type="email"
          dir="ltr"
          autoComplete="email"
          maxLength={policy.fields.find(({ name }) => name === "email")?.maxLength ?? undefined}
        />
        <PasswordField name="password" label={t.fields.currentPassword} autoComplete="current-password" />
      </Form>
    </section>
  );
}
