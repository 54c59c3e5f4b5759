// The package alone: its `execute` and `signUp`.
import { execute, signUp } from "../src/index.js";
import { type Client, bearer, graphqlClient } from "./client.js";

export function open(url: string): Client {
  const client = graphqlClient((document, variables, accessToken) =>
    execute(`${url}/graphql`, () => bearer(accessToken))(document, variables),
  );
  return {
    ...client,
    async signUp(form) {
      const { result, fields } = await signUp(execute(`${url}/graphql`), form);
      if (result.__typename === "InvalidInputError") return JSON.stringify(fields);
      return "code" in result ? `${result.__typename} ${result.code}` : result.__typename;
    },
  };
}
