import { authExchange } from "@urql/exchange-auth";
import { RefreshAccessTokenDocument } from "registration-gateway-client";
import { cacheExchange, Client, fetchExchange } from "urql";
import { session } from "./session";

const meta = document.querySelector<HTMLMetaElement>("meta[name=gateway]");

/** The origin of the gateway. */
export const GATEWAY = meta!.content;

/** A client without cached answers. Messages of the gateway come in the given language. */
export function createClient(language: string) {
  // The cookie of the refresh token travels with credentials, and is used only where the second header is sent.
  const headers = { "Accept-Language": language, "GraphQL-Require-Preflight": "1" };
  const fetchOptions: RequestInit = { headers, credentials: "include" };
  return new Client({
    url: `${GATEWAY}/graphql`,
    preferGetMethod: false,
    fetchSubscriptions: true, // over server-sent events
    fetchOptions,
    exchanges: [cacheExchange, authentication(fetchOptions), fetchExchange],
  });
}

/** Adds the access token, and gets a new one when there is none or the gateway refuses it. */
function authentication(fetchOptions: RequestInit) {
  return authExchange(async (utilities) => ({
    addAuthToOperation(operation) {
      const token = session.accessToken();
      return token ? utilities.appendHeaders(operation, { Authorization: `Bearer ${token}` }) : operation;
    },
    willAuthError: () => session.isOpen() && !session.accessToken(),
    didAuthError: (error) => error.graphQLErrors.some((each) => each.extensions.code === "UNAUTHENTICATED"),
    async refreshAuth() {
      if (!session.isOpen()) return;
      const answer = await utilities.mutate(RefreshAccessTokenDocument, { input: {} }, { fetchOptions });
      const result = answer.data?.refreshAccessToken;
      if (result?.__typename === "RefreshAccessTokenSuccess") session.open(result.tokens.accessToken);
      else if (result) session.close();
    },
  }));
}
