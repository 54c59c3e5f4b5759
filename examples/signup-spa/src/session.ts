import { useSyncExternalStore } from "react";

type Tokens = { accessToken: string; refreshToken: string };

const REFRESH = "refreshToken";
const listeners = new Set<() => void>();
let accessToken: string | undefined;

/** The access token is held in memory only; the refresh token outlives a reload of this tab, and no longer. */
export const session = {
  accessToken: () => accessToken,
  refreshToken: () => sessionStorage.getItem(REFRESH) ?? undefined,
  isOpen: () => sessionStorage.getItem(REFRESH) !== null,

  open(tokens: Tokens) {
    accessToken = tokens.accessToken;
    sessionStorage.setItem(REFRESH, tokens.refreshToken);
    listeners.forEach((tell) => tell());
  },

  /** The next request gets another one. */
  forgetAccessToken() {
    accessToken = undefined;
  },

  close() {
    accessToken = undefined;
    sessionStorage.removeItem(REFRESH);
    listeners.forEach((tell) => tell());
  },
};

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Whether a customer is signed in. */
export function useSignedIn() {
  return useSyncExternalStore(subscribe, session.isOpen);
}
