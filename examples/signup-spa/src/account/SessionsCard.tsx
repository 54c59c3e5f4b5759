import {
  EndSessionDocument,
  type EndSessionMutation,
  SessionsDocument,
  type SessionsQuery,
  RevokeRefreshTokenDocument,
} from "registration-gateway-client";
import { useMutation, useQuery } from "urql";
import { Form, type Outcome, received } from "../form/Form";
import { session } from "../session";
import { useDate, useStrings } from "../strings";
import { unreachable } from "../unreachable";

type Device = NonNullable<SessionsQuery["sessions"]>[number];

export function SessionsCard() {
  const t = useStrings();
  const [{ data }] = useQuery({ query: SessionsDocument });
  const [, signOut] = useMutation(RevokeRefreshTokenDocument);

  async function everywhere() {
    received(await signOut({ input: { all: true } }));
    session.close();
  }

  return (
    <section className="card" id="sessions">
      <h2>{t.sessions.title}</h2>
      <p>{t.sessions.lead}</p>
      <ul className="sessions">
        {data?.sessions?.map((each) => (
          <li key={each.id}>
            <DeviceRow device={each} />
          </li>
        ))}
      </ul>
      <Form button={t.sessions.all} look="secondary" onSubmit={everywhere} />
    </section>
  );
}

function DeviceRow({ device }: { device: Device }) {
  const t = useStrings();
  const date = useDate();
  const [, end] = useMutation(EndSessionDocument);
  const name = device.device ?? t.sessions.unknown;

  async function submit() {
    // The list is loaded anew by itself: see `additionalTypenames`.
    const answer = await end({ input: { id: device.id } }, { additionalTypenames: ["Session"] });
    return outcome(received(answer).endSession, t.sessions.ended);
  }

  return (
    <>
      <div>
        <b dir="auto">{name}</b>
        {device.place && <span dir="auto"> · {device.place}</span>}
        <p className="hint">
          {device.current ? t.sessions.here : t.sessions.used(date(device.lastUsedAt, { dateStyle: "medium", timeStyle: "short" }))}
        </p>
      </div>
      {!device.current && <Form button={t.sessions.end} about={name} look="secondary" onSubmit={submit} />}
    </>
  );
}

function outcome(result: EndSessionMutation["endSession"], done: string): Outcome {
  switch (result.__typename) {
    case "EndSessionSuccess":
      return { message: done, done: true };
    case "SessionNotFoundError":
      return result;
    default:
      return unreachable(result);
  }
}
