import { authExchange } from "@urql/exchange-auth";
import { cacheExchange, Client, fetchExchange } from "urql";
import { RefreshDocument } from "./generated/operations";
import { session } from "./session";

const meta = document.querySelector<HTMLMetaElement>("meta[name=gateway]");

/** The origin of the gateway. */
export const GATEWAY = meta!.content;

/** A client without cached answers. Messages of the gateway come in the given language. */
export function createClient(language: string) {
  const headers = { "Accept-Language": language };
  return new Client({
    url: `${GATEWAY}/graphql`,
    preferGetMethod: false,
    fetchOptions: { headers },
    exchanges: [cacheExchange, authentication(headers), fetchExchange],
  });
}

/** Adds the access token, and gets a new one when there is none or the gateway refuses it. */
function authentication(headers: Record<string, string>) {
  return authExchange(async (utilities) => ({
    addAuthToOperation(operation) {
      const token = session.accessToken();
      return token ? utilities.appendHeaders(operation, { Authorization: `Bearer ${token}` }) : operation;
    },
    willAuthError: () => session.isOpen() && !session.accessToken(),
    didAuthError: (error) => error.graphQLErrors.some((each) => each.extensions.code === "UNAUTHENTICATED"),
    async refreshAuth() {
      const refreshToken = session.refreshToken();
      if (!refreshToken) return session.close();
      const answer = await utilities.mutate(RefreshDocument, { input: { refreshToken } }, { fetchOptions: { headers } });
      const result = answer.data?.refreshAccessToken;
      if (result?.__typename === "RefreshAccessTokenSuccess") session.open(result.tokens);
      else if (result) session.close();
    },
  }));
}
