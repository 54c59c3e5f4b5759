import { useMutation } from "urql";
import { atField, Form, type Outcome, received } from "../form/Form";
import {
  type Gender,
  type ProfileFragment,
  type Salutation,
  UpdateProfileDocument,
  type UpdateProfileMutation,
} from "../generated/operations";
import { given, type Policy, PolicyField } from "../form/PolicyField";
import { type Strings, useStrings } from "../strings";
import { unreachable } from "../unreachable";

export type Props = { me: ProfileFragment; policy: Policy };

export function ProfileCard({ me, policy }: Props) {
  const t = useStrings();
  const [, update] = useMutation(UpdateProfileDocument);

  async function submit(values: Record<string, string>) {
    const input = {
      salutation: given<Salutation>(values.salutation),
      gender: given<Gender>(values.gender),
      firstName: given(values.firstName),
      lastName: given(values.lastName),
      dateOfBirth: given(values.dateOfBirth),
    };
    return updateOutcome(received(await update({ input })).updateCustomer, t, t.profile.done);
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
export function updateOutcome(result: UpdateProfileMutation["updateCustomer"], t: Strings, done: string): Outcome {
  switch (result.__typename) {
    case "UpdateCustomerSuccess":
      return { message: done, done: true };
    case "EmailTakenError":
      return atField("email", result.message);
    case "BadCredentialsError":
      return atField("password", t.wrongPassword);
    case "InvalidInputError":
    case "TooManyAttemptsError":
      return result;
    default:
      return unreachable(result);
  }
}
