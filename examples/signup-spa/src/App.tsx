import { useLayoutEffect, useMemo, useState } from "react";
import { Provider } from "urql";
import { createClient } from "./client";
import { Header } from "./Header";
import { AccountPage } from "./account/AccountPage";
import { ForgottenPage } from "./pages/ForgottenPage";
import { SignInPage } from "./pages/SignInPage";
import { SignUpPage } from "./pages/SignUpPage";
import { WaitingPage } from "./pages/WaitingPage";
import { usePath } from "./route";
import { useSignedIn } from "./session";
import { applyLanguage, initialLanguage, Language } from "./strings";

export function App() {
  const [language, setLanguage] = useState(initialLanguage);
  const signedIn = useSignedIn();
  // A new client after each sign-in, sign-out and change of language: it has no answers of the former customer.
  const client = useMemo(() => createClient(language), [language, signedIn]);
  useLayoutEffect(() => applyLanguage(language), [language]);

  return (
    <Language value={language}>
      <Provider value={client}>
        <Header language={language} onLanguage={setLanguage} />
        <main id="content" tabIndex={-1}>
          <Page signedIn={signedIn} />
        </main>
      </Provider>
    </Language>
  );
}

function Page({ signedIn }: { signedIn: boolean }) {
  const path = usePath();
  switch (path) {
    case "/waiting":
      return <WaitingPage />;
    case "/forgotten":
      return <ForgottenPage />;
    case "/sign-in":
    case "/account":
      return signedIn ? <AccountPage /> : <SignInPage />;
    default:
      return <SignUpPage />;
  }
}
