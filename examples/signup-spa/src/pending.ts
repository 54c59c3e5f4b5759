/** The sign-up that waits for its confirmation; it outlives a reload of this tab. */
export type Pending = { email: string; expiresAt?: string };

const KEY = "pending";

export const pending = {
  get: (): Pending | null => JSON.parse(sessionStorage.getItem(KEY) ?? "null"),
  set: (value: Pending) => sessionStorage.setItem(KEY, JSON.stringify(value)),
  clear: () => sessionStorage.removeItem(KEY),
};
