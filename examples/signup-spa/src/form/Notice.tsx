import type { ReactNode } from "react";

type Props = { kind: "success" | "problem" | "info"; children: ReactNode };

/** What happened, read out as soon as it appears; it can take the focus. A message may come in another language. */
export function Notice({ kind, children }: Props) {
  return (
    <div className={`notice ${kind}`} role={kind === "problem" ? "alert" : "status"} tabIndex={-1}>
      <div dir="auto">{children}</div>
    </div>
  );
}
