import { useMutation } from "urql";
import { Form, received } from "../form/Form";
import { SignOutDocument } from "../generated/operations";
import { session } from "../session";
import { useStrings } from "../strings";

export function SessionsCard() {
  const t = useStrings();
  const [, signOut] = useMutation(SignOutDocument);

  async function everywhere() {
    received(await signOut({ input: { all: true } }));
    session.close();
  }

  return (
    <section className="card" id="sessions">
      <h2>{t.sessions.title}</h2>
      <p>{t.sessions.lead}</p>
      <Form button={t.sessions.all} onSubmit={everywhere} />
    </section>
  );
}
