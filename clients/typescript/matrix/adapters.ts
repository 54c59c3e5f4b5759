// `Execute` of the package, written for each client: these lines have to compile, strict.
import type { ApolloClient } from "@apollo/client";
import type { Client as UrqlClient } from "@urql/core";
import type { GraphQLClient } from "graphql-request";
import type { Execute } from "../src/index.js";

export const withUrql =
  (client: UrqlClient): Execute =>
  async (document, variables) => {
    const { data, error } = await client.mutation(document, variables);
    if (!data) throw error;
    return data;
  };

export const withApollo =
  (client: ApolloClient): Execute =>
  async (mutation, variables) => {
    const { data, error } = await client.mutate({ mutation, variables });
    if (!data) throw error;
    return data;
  };

export const withGraphqlRequest =
  (client: GraphQLClient): Execute =>
  (document, variables) =>
    client.request<any, any>(document, variables);
