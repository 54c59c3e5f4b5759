import { Notice } from "../form/Notice";
import { useStrings } from "../strings";

/** What stands where an answer of the gateway is waited for, or did not come. */
export function Loading({ failed, again }: { failed: boolean; again: () => void }) {
  const t = useStrings();
  if (!failed) {
    return (
      <div className="loading" role="status">
        <span className="unseen">{t.loading}</span>
      </div>
    );
  }
  return (
    <>
      <Notice kind="problem">{t.unreachable}</Notice>
      <button type="button" className="primary" onClick={again}>
        {t.retry}
      </button>
    </>
  );
}
