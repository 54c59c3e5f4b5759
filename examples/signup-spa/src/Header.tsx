import { Link } from "./Link";
import { useSignedIn } from "./session";
import { names, useStrings } from "./strings";

type Props = { language: string; onLanguage: (code: string) => void };

export function Header({ language, onLanguage }: Props) {
  const t = useStrings();
  const signedIn = useSignedIn();
  return (
    <header>
      <a className="skip" href="#content">
        {t.skip}
      </a>
      <Link to="/" className="brand">
        <img src="/icon.svg" alt="" width="32" height="32" />
        <span className="unseen-narrow">{t.shop}</span>
      </Link>
      <nav>
        <select aria-label={t.language} value={language} onChange={(event) => onLanguage(event.target.value)}>
          {names.map(({ code, name }) => (
            <option key={code} value={code} lang={code}>
              {name}
            </option>
          ))}
        </select>
        {signedIn ? <Link to="/account">{t.account.link}</Link> : <Link to="/sign-in">{t.signIn.link}</Link>}
      </nav>
    </header>
  );
}
