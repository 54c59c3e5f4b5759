import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";

/** Runs one operation and returns its data; what a GraphQL client of your choice does, or `execute` below. */
export type Execute = <Data, Variables extends Record<string, unknown>>(document: TypedDocumentNode<Data, Variables>, variables: Variables) => Promise<Data>;

/** An entry of `errors`: about the request, not about what it asks for. Where a proxy or an outage answered without a result, `code` is the status. */
export interface RequestError {
  message: string;
  extensions?: { code?: string; retryAfterSeconds?: number; correlationId?: string };
}

/** Thrown when an answer has `errors`, or no result. */
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
    const { data, errors } = resultIn(await answer.text()) ?? { errors: [withoutResult(answer)] };
    if (errors) throw new RequestFailed(errors);
    return data;
  };
}

function resultIn(text: string) {
  try {
    const body = JSON.parse(text);
    return body?.data || body?.errors ? body : undefined;
  } catch {
    return undefined;
  }
}

function withoutResult({ status, statusText, headers }: Response): RequestError {
  const seconds = Number.parseInt(headers.get("Retry-After") ?? "", 10); // NaN for a date
  return {
    message: `The answer has no result of GraphQL: ${status} ${statusText}`.trimEnd(),
    extensions: { code: String(status), ...(seconds >= 0 && { retryAfterSeconds: seconds }) },
  };
}
