import type { InputHTMLAttributes } from "react";
import type { RegistrationPolicyQuery } from "registration-gateway-client";
import { useStrings } from "../strings";
import { Choice, Field } from "./Field";

export type Policy = RegistrationPolicyQuery["registrationPolicy"];
type Name = keyof typeof attributes;

/** What the browser is to know of each field besides its rules, which are the gateway's. */
const attributes = {
  salutation: {},
  gender: {},
  firstName: { autoComplete: "given-name" },
  lastName: { autoComplete: "family-name" },
  email: { type: "email", dir: "ltr", autoComplete: "email" },
  dateOfBirth: { type: "date", autoComplete: "bday" },
} satisfies Record<string, InputHTMLAttributes<HTMLInputElement>>;

type Props = { policy: Policy; name: Name; hint?: string | false; value?: string | null };

/** A field as the policy wants it: required or not, with its limits and its choices; nothing where it has none. */
export function PolicyField({ policy, name, hint, value }: Props) {
  const t = useStrings();
  const field = policy.fields.find((each) => each.name === name);
  if (!field) return null;
  const common = { name, label: t.fields[name], optional: !field.required };
  if (field.choices) return <Choice {...common} choices={field.choices} value={value} />;
  return (
    <Field
      {...common}
      {...attributes[name]}
      hint={hint}
      maxLength={field.maxLength ?? undefined}
      min={field.earliest ?? undefined}
      max={field.latest ?? undefined}
      defaultValue={value ?? ""}
    />
  );
}

/** A chosen or typed value for the gateway: what is empty was not given. */
export function given<Value extends string>(value: string | undefined): Value | null {
  return (value || null) as Value | null;
}
