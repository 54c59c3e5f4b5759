import { useSyncExternalStore } from "react";

const HINT = "signedIn";
const listeners = new Set<() => void>();
let accessToken: string | undefined;

/**
 * The access token is held in memory only. The refresh token is in a cookie that no script can read, so all that is
 * stored here is whether there is one.
 */
export const session = {
  accessToken: () => accessToken,
  isOpen: () => localStorage.getItem(HINT) !== null,

  open(token: string) {
    accessToken = token;
    localStorage.setItem(HINT, "yes");
    listeners.forEach((tell) => tell());
  },

  /** The next request gets another one. */
  forgetAccessToken() {
    accessToken = undefined;
  },

  close() {
    accessToken = undefined;
    localStorage.removeItem(HINT);
    listeners.forEach((tell) => tell());
  },
};

function subscribe(listener: () => void) {
  listeners.add(listener);
  addEventListener("storage", listener); // another tab signed in or out
  return () => {
    listeners.delete(listener);
    removeEventListener("storage", listener);
  };
}

/** Whether a customer is signed in. */
export function useSignedIn() {
  return useSyncExternalStore(subscribe, session.isOpen);
}
