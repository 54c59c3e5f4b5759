import { useState } from "react";
import type { RegistrationPolicyQuery } from "registration-gateway-client";
import { useStrings } from "../strings";
import { Frame, useControl } from "./Field";

export type PasswordRules = RegistrationPolicyQuery["registrationPolicy"]["password"];

type Props = { name: string; label: string; rules?: PasswordRules; autoComplete: "current-password" | "new-password" };

/** A password that can be shown. With `rules` it tells which of them are kept while one types. */
export function PasswordField({ name, label, rules, autoComplete }: Props) {
  const t = useStrings();
  const [value, setValue] = useState("");
  const [shown, setShown] = useState(false);
  const hint = rules && <Rules rules={rules} password={value} />;
  const { control, ...frame } = useControl({ name, hint });
  return (
    <Frame {...frame} label={label} hint={hint}>
      <div className="password">
        <input
          {...control}
          type={shown ? "text" : "password"}
          dir="ltr"
          autoComplete={autoComplete}
          value={value}
          onChange={(event) => setValue(event.target.value)}
        />
        <button type="button" className="plain" onClick={() => setShown(!shown)}>
          {shown ? t.hide : t.show}
          <span className="unseen"> {label}</span>
        </button>
      </div>
    </Frame>
  );
}

/** The rules that the browser can check by itself; the gateway knows more, such as common passwords. */
function Rules({ rules, password }: { rules: PasswordRules; password: string }) {
  const t = useStrings();
  const length = [...password].length;
  const special = [...rules.specialCharacters].some((character) => password.includes(character));
  const classes = [/\p{Lu}/u, /\p{Ll}/u, /\d/].every((each) => each.test(password)) && special;
  const found: [boolean, string][] = [[length >= rules.minLength && length <= rules.maxLength, t.rules.length(rules)]];
  if (rules.needsAllCharacterClasses) found.push([classes, t.rules.classes]);
  if (rules.refusesRepeats) found.push([length > 0 && !/(.)\1\1/u.test(password), t.rules.repeats]);
  return (
    <ul className="rules">
      {found.map(([kept, text]) => (
        <li key={text} className={kept ? "kept" : ""}>
          {text}
          {kept && <span className="unseen"> ✓</span>}
        </li>
      ))}
    </ul>
  );
}
