// Apollo Client with its persisted-query link, by GET, and the package's possibleTypes.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client/core";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { possibleTypes } from "../src/index.js";
import { type Ask, bearer, type Client, graphqlClient, sha256 } from "./client.js";

export function open(url: string): Client {
  const client = new ApolloClient({
    cache: new InMemoryCache({ possibleTypes }),
    link: ApolloLink.from([
      new PersistedQueryLink({ sha256, useGETForHashedQueries: true }),
      new HttpLink({ uri: `${url}/graphql` }),
    ]),
  });
  const ask: Ask = async (document, variables, accessToken) => {
    const isQuery = document.definitions.some((each) => each.kind === "OperationDefinition" && each.operation === "query");
    const context = { headers: bearer(accessToken) };
    const { data } = isQuery
      ? await client.query<any, any>({ query: document, variables, context, fetchPolicy: "network-only" })
      : await client.mutate<any, any>({ mutation: document, variables, context });
    return data;
  };
  return graphqlClient(ask);
}
