import { useEffect, useRef } from "react";
import { MeDocument, RegistrationPolicyDocument, RevokeRefreshTokenDocument } from "registration-gateway-client";
import { useMutation, useQuery } from "urql";
import { Loading } from "../pages/Loading";
import { session } from "../session";
import { useDate, useStrings } from "../strings";
import { AddressCard } from "./AddressCard";
import { DataCard } from "./DataCard";
import { EraseCard } from "./EraseCard";
import { PasswordCard } from "./PasswordCard";
import { ProfileCard } from "./ProfileCard";
import { SessionsCard } from "./SessionsCard";

export function AccountPage() {
  const t = useStrings();
  const date = useDate();
  const heading = useRef<HTMLHeadingElement>(null);
  const [{ data, error }, again] = useQuery({ query: MeDocument });
  const [{ data: rules }] = useQuery({ query: RegistrationPolicyDocument });
  const [, signOut] = useMutation(RevokeRefreshTokenDocument);
  const loaded = Boolean(data && rules);

  useEffect(() => {
    document.title = `${t.account.link} – ${t.shop}`;
    if (loaded) heading.current?.focus();
  }, [t, loaded]);
  useReturn(() => again({ requestPolicy: "network-only" }));

  if (!data?.me || !rules) return <Loading failed={Boolean(error)} again={again} />;
  const { me } = data;

  async function leave() {
    await signOut({ input: { current: true } });
    session.close();
  }

  return (
    <div className="account">
      <div className="greeting">
        <div>
          <h1 ref={heading} tabIndex={-1}>
            {t.account.title(me.firstName ?? "")}
          </h1>
          <p>
            {t.account.reference} <b dir="ltr">{me.reference}</b> · {t.account.since(date(me.createdAt, { dateStyle: "long" }))}
          </p>
        </div>
        <button type="button" className="secondary" onClick={leave}>
          {t.account.signOut}
        </button>
      </div>
      <div className="cards">
        <ProfileCard me={me} policy={rules.registrationPolicy} />
        <AddressCard me={me} policy={rules.registrationPolicy} />
        <PasswordCard rules={rules.registrationPolicy.password} />
        <SessionsCard />
        <DataCard />
        <EraseCard />
      </div>
    </div>
  );
}

/** Does something whenever this tab is shown again: a new address may have been confirmed in the meantime. */
function useReturn(action: () => void) {
  useEffect(() => {
    const look = () => document.visibilityState === "visible" && action();
    addEventListener("visibilitychange", look);
    return () => removeEventListener("visibilitychange", look);
  });
}
