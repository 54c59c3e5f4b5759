import { useSyncExternalStore } from "react";

export type Path = "/" | "/waiting" | "/sign-in" | "/forgotten" | "/account";

/** Goes to a page of this example, and to its top; the page shows the news. */
export function go(path: Path, news?: string) {
  history.pushState({ news }, "", path);
  dispatchEvent(new PopStateEvent("popstate"));
  scrollTo(0, 0);
}

function subscribe(listener: () => void) {
  addEventListener("popstate", listener);
  return () => removeEventListener("popstate", listener);
}

/** Whether this page was reached by `go`, and what it is to tell. */
export function arrival(): { news?: string } | null {
  return history.state;
}

export function usePath() {
  return useSyncExternalStore(subscribe, () => location.pathname);
}
