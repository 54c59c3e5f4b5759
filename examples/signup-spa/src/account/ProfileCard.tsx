import { useMutation } from "urql";
import { Choice, Field } from "../form/Field";
import { Form, type Outcome, received } from "../form/Form";
import {
  type Gender,
  type PolicyQuery,
  type ProfileFragment,
  type Salutation,
  UpdateProfileDocument,
  type UpdateProfileMutation,
} from "../generated/operations";
import { useStrings } from "../strings";
import { unreachable } from "../unreachable";

export type Props = { me: ProfileFragment; policy: PolicyQuery["registrationPolicy"] };

export function ProfileCard({ me, policy }: Props) {
  const t = useStrings();
  const [, update] = useMutation(UpdateProfileDocument);

  async function submit(values: Record<string, string>) {
    const input = {
      salutation: values.salutation as Salutation,
      gender: values.gender as Gender,
      firstName: values.firstName,
      lastName: values.lastName,
      dateOfBirth: values.dateOfBirth || null,
    };
    return updateOutcome(received(await update({ input })).updateCustomer, t.profile.done);
  }

  return (
    <section className="card" id="profile">
      <h2>{t.profile.title}</h2>
      <Form button={t.profile.button} onSubmit={submit}>
        <div className="row">
          <Choice
            name="salutation"
            label={t.fields.salutation}
            choices={policy.salutations}
            labels={t.salutations}
            value={me.salutation}
          />
          <Choice name="gender" label={t.fields.gender} choices={policy.genders} labels={t.genders} value={me.gender} />
        </div>
        <div className="row">
          <Field name="firstName" label={t.fields.firstName} autoComplete="given-name" defaultValue={me.firstName} />
          <Field name="lastName" label={t.fields.lastName} autoComplete="family-name" defaultValue={me.lastName} />
        </div>
        <Field
          name="dateOfBirth"
          label={t.fields.dateOfBirth}
          type="date"
          autoComplete="bday"
          defaultValue={me.dateOfBirth ?? ""}
          optional
        />
      </Form>
    </section>
  );
}

/** What came of a change of the profile or of the address. */
export function updateOutcome(result: UpdateProfileMutation["updateCustomer"], done: string): Outcome {
  switch (result.__typename) {
    case "UpdateCustomerSuccess":
      return { message: done, done: true };
    case "EmailTakenError":
      return { message: result.message, violations: [{ path: ["email"], message: result.message }] };
    case "BadCredentialsError":
      return { message: result.message, violations: [{ path: ["password"], message: result.message }] };
    case "InvalidInputError":
    case "TooManyAttemptsError":
      return result;
    default:
      return unreachable(result);
  }
}
