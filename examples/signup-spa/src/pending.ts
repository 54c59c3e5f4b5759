/** The sign-up that waits for its confirmation. The handle is a secret of this tab; it outlives a reload, and no more. */
export type Pending = { email: string; handle?: string; expiresAt?: string };

const KEY = "pending";

export const pending = {
  get: (): Pending | null => JSON.parse(sessionStorage.getItem(KEY) ?? "null"),
  set: (value: Pending) => sessionStorage.setItem(KEY, JSON.stringify(value)),
  clear: () => sessionStorage.removeItem(KEY),
};
