// What the matrix asks of each client. A string is the member of the union, or the code of a JSON:API error.
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import {
  ConfirmCustomerDocument,
  CreateAccessTokenDocument,
  CreateCustomerDocument,
  type CreateCustomerInput,
  MeDocument,
  RefreshAccessTokenDocument,
} from "../src/index.js";

export interface Tokens {
  accessToken: string;
  refreshToken: string;
}

// The token is null where it travels in a cookie, which the gateway of the matrix does not use.
function inBody({ accessToken, refreshToken }: { accessToken: string; refreshToken: string | null }): Tokens {
  if (refreshToken === null) throw new Error("no refresh token");
  return { accessToken, refreshToken };
}

export interface Client {
  signUp(form: CreateCustomerInput): Promise<string>;
  confirm(token: string): Promise<string>;
  signIn(email: string, password: string): Promise<Tokens>;
  refresh(refreshToken: string): Promise<Tokens>;
  email(accessToken: string): Promise<string>;
}

export type Ask = <Data, Variables extends Record<string, unknown>>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  accessToken?: string,
) => Promise<Data>;

export function graphqlClient(ask: Ask): Client {
  return {
    async signUp(input) {
      const { createCustomer: result } = await ask(CreateCustomerDocument, { input });
      return "code" in result ? `${result.__typename} ${result.code}` : result.__typename;
    },
    async confirm(token) {
      return (await ask(ConfirmCustomerDocument, { input: { token } })).confirmCustomer.__typename;
    },
    async signIn(email, password) {
      const { createAccessToken: result } = await ask(CreateAccessTokenDocument, { input: { email, password } });
      if (result.__typename !== "CreateAccessTokenSuccess") throw new Error(result.__typename);
      return inBody(result.tokens);
    },
    async refresh(refreshToken) {
      const { refreshAccessToken: result } = await ask(RefreshAccessTokenDocument, { input: { refreshToken } });
      if (result.__typename !== "RefreshAccessTokenSuccess") throw new Error(result.__typename);
      return inBody(result.tokens);
    },
    async email(accessToken) {
      return (await ask(MeDocument, {}, accessToken)).me!.email;
    },
  };
}

export const bearer = (accessToken?: string): Record<string, string> =>
  accessToken ? { Authorization: `Bearer ${accessToken}` } : {};

export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
