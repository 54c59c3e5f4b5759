import { type ReactNode, useEffect, useRef } from "react";
import { Notice } from "../form/Notice";
import { arrival } from "../route";
import { useStrings } from "../strings";

type Props = { title: string; lead: ReactNode; step: 0 | 1 | 2; children: ReactNode };

/** A card beside the slogan of the shop and the steps to an account. Its heading takes the focus on each way but the first. */
export function Panel({ title, lead, step, children }: Props) {
  const t = useStrings();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} – ${t.shop}`;
    if (arrival()) heading.current?.focus();
  }, [title, t]);
  return (
    <div className="panel">
      <aside>
        <p className="slogan">{t.slogan}</p>
        <ol aria-label={t.steps.label}>
          {[t.steps.details, t.steps.address, t.steps.done].map((name, number) => (
            <li key={name} className={number < step ? "passed" : ""} aria-current={number === step ? "step" : undefined}>
              <span className={number === step ? "" : "unseen-narrow"}>{name}</span>
            </li>
          ))}
        </ol>
      </aside>
      <section>
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        <p className="lead">{lead}</p>
        {arrival()?.news && <Notice kind="success">{arrival()?.news}</Notice>}
        {children}
      </section>
    </div>
  );
}
