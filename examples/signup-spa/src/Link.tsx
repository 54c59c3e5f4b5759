import type { MouseEvent, ReactNode } from "react";
import { go, type Path } from "./route";

type Props = { to: Path; className?: string; children: ReactNode };

/** A link to a page of this example; with a key held down it opens a tab as every link does. */
export function Link({ to, className, children }: Props) {
  function follow(event: MouseEvent) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(to);
  }
  return (
    <a href={to} className={className} onClick={follow}>
      {children}
    </a>
  );
}
