import {
  type Gender,
  type MeQuery,
  type Salutation,
  UpdateCustomerDocument,
  type UpdateCustomerMutation,
} from "registration-gateway-client";
import { useMutation } from "urql";
import { atField, Form, invalid, type Outcome, received } from "../form/Form";
import { given, type Policy, PolicyField } from "../form/PolicyField";
import { type Strings, useStrings } from "../strings";
import { unreachable } from "../unreachable";

export type Props = { me: NonNullable<MeQuery["me"]>; policy: Policy };

export function ProfileCard({ me, policy }: Props) {
  const t = useStrings();
  const [, update] = useMutation(UpdateCustomerDocument);

  async function submit(values: Record<string, string>) {
    const input = {
      salutation: given<Salutation>(values.salutation),
      gender: given<Gender>(values.gender),
      firstName: given(values.firstName),
      lastName: given(values.lastName),
      dateOfBirth: given(values.dateOfBirth),
    };
    return updateOutcome(received(await update({ input })).updateCustomer, t, { message: t.profile.done, done: true });
  }

  return (
    <section className="card" id="profile">
      <h2>{t.profile.title}</h2>
      <Form button={t.profile.button} onSubmit={submit}>
        <div className="row">
          <PolicyField policy={policy} name="salutation" value={me.salutation} />
          <PolicyField policy={policy} name="gender" value={me.gender} />
        </div>
        <div className="row">
          <PolicyField policy={policy} name="firstName" value={me.firstName} />
          <PolicyField policy={policy} name="lastName" value={me.lastName} />
        </div>
        <PolicyField policy={policy} name="dateOfBirth" value={me.dateOfBirth} />
      </Form>
    </section>
  );
}

/** What came of a change of the profile or of the address. */
export function updateOutcome(result: UpdateCustomerMutation["updateCustomer"], t: Strings, done: Outcome): Outcome {
  switch (result.__typename) {
    case "UpdateCustomerSuccess":
      return done;
    case "EmailTakenError":
      return atField("email", result.message);
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
