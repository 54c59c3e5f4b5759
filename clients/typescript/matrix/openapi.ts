// openapi-fetch with the types that openapi-typescript makes of /openapi.json.
import createClient from "openapi-fetch";
import type { paths } from "./__generated__/openapi.js";
import { bearer, type Client, type Tokens } from "./client.js";
import { attributes } from "./rest.js";

const JSON_API = "application/vnd.api+json";

export function open(url: string): Client {
  const api = createClient<paths>({ baseUrl: url, headers: { "Content-Type": JSON_API } });
  const code = (answer: { response: Response; error?: any }) =>
    answer.error ? `${answer.response.status} ${answer.error.errors[0].code}` : String(answer.response.status);
  return {
    async signUp(form) {
      return code(await api.POST("/customers", { body: { data: { type: "customers", attributes: attributes(form) } } }));
    },
    async confirm(registrationKey) {
      const body = { data: { type: "customer-confirmation" as const, attributes: { registrationKey } } };
      return code(await api.POST("/customer-confirmation", { body }));
    },
    async signIn(username, password) {
      const body = { data: { type: "access-tokens" as const, attributes: { username, password } } };
      return (await api.POST("/access-tokens", { body })).data!.data.attributes as Tokens;
    },
    async refresh(refreshToken) {
      const body = { data: { type: "refresh-tokens" as const, attributes: { refreshToken } } };
      return (await api.POST("/refresh-tokens", { body })).data!.data.attributes as Tokens;
    },
    async email(accessToken) {
      const { data } = await api.GET("/customers", { headers: bearer(accessToken) });
      return (data!.data[0]!.attributes as { email: string }).email;
    },
  };
}
