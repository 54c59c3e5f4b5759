import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";

/** Runs one operation and returns its data; what a GraphQL client of your choice does, or `execute` below. */
export type Execute = <Data, Variables extends Record<string, unknown>>(document: TypedDocumentNode<Data, Variables>, variables: Variables) => Promise<Data>;

/** An entry of `errors`: about the request, not about what it asks for. */
export interface RequestError {
  message: string;
  extensions?: { code?: string; retryAfterSeconds?: number; correlationId?: string };
}

/** Thrown when an answer has `errors`. */
export class RequestFailed extends Error {
  constructor(readonly errors: readonly RequestError[]) {
    super(errors.map((error) => error.message).join(" "));
  }
}

/** Runs operations with `fetch`. `headers` is called for each request: for Authorization and Accept-Language. */
export function execute(url: string, headers: () => Record<string, string> = () => ({})): Execute {
  return async (document, variables) => {
    const answer = await fetch(url, {
      method: "POST",
      headers: { Accept: "application/json", "Content-Type": "application/json", ...headers() },
      body: JSON.stringify({ query: print(document), variables }),
    });
    const { data, errors } = await answer.json();
    if (errors) throw new RequestFailed(errors);
    return data;
  };
}
