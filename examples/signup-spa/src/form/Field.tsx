import { type InputHTMLAttributes, type ReactNode, use, useId } from "react";
import { useStrings } from "../strings";
import { type Errors, FieldProblems } from "./Form";

type Common = { name: string; label: ReactNode; optional?: boolean; hint?: ReactNode };

/** All that ties a control to its label, its hint and its errors. */
export function useControl({ name, optional, hint }: Omit<Common, "label">) {
  const id = useId();
  const errors = use(FieldProblems)[name] ?? [];
  const invalid = errors.length > 0;
  const described = [hint && `${id}-hint`, invalid && `${id}-errors`].filter(Boolean).join(" ");
  const control = {
    id,
    name,
    "aria-required": !optional,
    "aria-invalid": invalid,
    "aria-describedby": described || undefined,
  };
  return { id, errors, control };
}

type FrameProps = Omit<Common, "name"> & { id: string; errors: Errors[string]; children: ReactNode };

/** The label above a control; its hint and all that is wrong with it below. */
export function Frame({ id, errors, label, optional, hint, children }: FrameProps) {
  const t = useStrings();
  return (
    <div className="field">
      <label htmlFor={id}>
        {label}
        {optional && <span className="optional"> {t.optional}</span>}
      </label>
      {children}
      {hint && (
        <div className="hint" id={`${id}-hint`}>
          {hint}
        </div>
      )}
      <Problems id={id} errors={errors} />
    </div>
  );
}

function Problems({ id, errors }: { id: string; errors: Errors[string] }) {
  return (
    errors.length > 0 && (
      <ul className="errors" id={`${id}-errors`}>
        {errors.map(({ message }) => (
          <li key={message} dir="auto">
            {message}
          </li>
        ))}
      </ul>
    )
  );
}

type FieldProps = Common & InputHTMLAttributes<HTMLInputElement>;

export function Field({ name, label, optional, hint, ...input }: FieldProps) {
  const { control, ...frame } = useControl({ name, optional, hint });
  return (
    <Frame {...frame} label={label} optional={optional} hint={hint}>
      <input {...control} {...input} />
    </Frame>
  );
}

type ChoiceProps = Omit<Common, "hint"> & {
  choices: readonly { value: string; label: string }[];
  value?: string | null;
};

export function Choice({ name, label, optional, choices, value }: ChoiceProps) {
  const t = useStrings();
  const { control, ...frame } = useControl({ name, optional });
  return (
    <Frame {...frame} label={label} optional={optional}>
      <select {...control} defaultValue={value ?? ""}>
        <option value="">{t.choose}</option>
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.label}
          </option>
        ))}
      </select>
    </Frame>
  );
}

export function Checkbox({ name, label }: { name: string; label: string }) {
  const { id, errors, control } = useControl({ name });
  return (
    <div className="field">
      <label className="checkbox">
        <input {...control} type="checkbox" />
        <span>{label}</span>
      </label>
      <Problems id={id} errors={errors} />
    </div>
  );
}
