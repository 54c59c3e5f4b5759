import { ExportMyDataDocument, type ExportMyDataMutation } from "registration-gateway-client";
import { useMutation } from "urql";
import { Form, type Outcome, received } from "../form/Form";
import { useStrings } from "../strings";
import { unreachable } from "../unreachable";

/** Asks for the mail; the page behind its link, where the file is downloaded, is the gateway's. */
export function DataCard() {
  const t = useStrings();
  const [, ask] = useMutation(ExportMyDataDocument);

  async function submit() {
    return outcome(received(await ask({})).exportMyData);
  }

  return (
    <section className="card" id="data">
      <h2>{t.data.title}</h2>
      <p>{t.data.lead}</p>
      <Form button={t.data.button} look="secondary" onSubmit={submit} />
    </section>
  );
}

function outcome(result: ExportMyDataMutation["exportMyData"]): Outcome {
  switch (result.__typename) {
    case "ExportMyDataAccepted":
      return { message: result.message, done: true };
    case "TooManyAttemptsError":
      return result;
    default:
      return unreachable(result);
  }
}
