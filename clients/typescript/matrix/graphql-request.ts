// graphql-request.
import { GraphQLClient } from "graphql-request";
import { bearer, type Client, graphqlClient } from "./client.js";

export function open(url: string): Client {
  const client = new GraphQLClient(`${url}/graphql`);
  return graphqlClient((document, variables, accessToken) =>
    client.request<any, any>(document, variables, bearer(accessToken)),
  );
}
