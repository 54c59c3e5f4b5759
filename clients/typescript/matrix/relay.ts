// relay-runtime with documents of relay-compiler; the fragment of the customer is fetched again by its id.
import { commitMutation, Environment, fetchQuery, Network, RecordSource, Store } from "relay-runtime";
import { bearer, type Client } from "./client.js";
import confirm from "./__generated__/relayDocumentsConfirmMutation.graphql.js";
import me from "./__generated__/relayDocumentsMeQuery.graphql.js";
import refetch from "./__generated__/relayDocumentsRefetchQuery.graphql.js";
import refresh from "./__generated__/relayDocumentsRefreshMutation.graphql.js";
import signIn from "./__generated__/relayDocumentsSignInMutation.graphql.js";
import signUp from "./__generated__/relayDocumentsSignUpMutation.graphql.js";

export function open(url: string): Client {
  let accessToken = "";
  const network = Network.create(async (request, variables) => {
    const headers = { "Content-Type": "application/json", ...bearer(accessToken) };
    const body = JSON.stringify({ query: request.text, variables });
    return (await fetch(`${url}/graphql`, { method: "POST", headers, body })).json();
  });
  const environment = new Environment({ network, store: new Store(new RecordSource()) });
  const mutate = (mutation: any, input: unknown) =>
    new Promise<any>((onCompleted, onError) =>
      commitMutation(environment, { mutation, variables: { input }, onCompleted, onError }),
    );
  return {
    async signUp(form) {
      const { createCustomer: result } = await mutate(signUp, form);
      return result.code ? `${result.__typename} ${result.code}` : result.__typename;
    },
    confirm: async (token) => (await mutate(confirm, { token })).confirmCustomer.__typename,
    signIn: async (email, password) => (await mutate(signIn, { email, password })).createAccessToken.tokens,
    refresh: async (refreshToken) => (await mutate(refresh, { refreshToken })).refreshAccessToken.tokens,
    async email(token) {
      accessToken = token;
      const asked: any = await fetchQuery(environment, me, {}).toPromise();
      const { id } = asked.me;
      await fetchQuery(environment, refetch, { id }).toPromise();
      return environment.getStore().getSource().get(id)!["email"] as string;
    },
  };
}
