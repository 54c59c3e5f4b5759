// urql with its exchange for persisted queries, as it is: queries go by GET.
import { Client as UrqlClient, fetchExchange } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
import { type Ask, bearer, type Client, graphqlClient } from "./client.js";

export function open(url: string): Client {
  const client = new UrqlClient({
    url: `${url}/graphql`,
    exchanges: [persistedExchange({ enableForMutation: true }), fetchExchange],
  });
  const ask: Ask = async (document, variables, accessToken) => {
    const isQuery = document.definitions.some((each) => each.kind === "OperationDefinition" && each.operation === "query");
    const context = { fetchOptions: { headers: bearer(accessToken) }, requestPolicy: "network-only" as const };
    const asked = isQuery ? client.query(document, variables, context) : client.mutation(document, variables, context);
    const { data, error } = await asked.toPromise();
    if (!data) throw error;
    return data;
  };
  return graphqlClient(ask);
}
