// kitsu, a client of JSON:API, with the shim.
import Kitsu from "kitsu";
import { bearer, type Client, type Tokens } from "./client.js";
import { attributes } from "./rest.js";

export function open(url: string): Client {
  const api: any = new Kitsu({ baseURL: url, camelCaseTypes: false, pluralize: false, resourceCase: "none" });
  // The first code of an error, or what there was instead of one.
  const code = (asked: Promise<any>, done: string) =>
    asked.then(
      () => done,
      (error) => `${error.errors[0].status} ${error.errors[0].code}`,
    );
  const tokens = async (asked: Promise<any>): Promise<Tokens> => (await asked).data;
  return {
    signUp: (form) => code(api.create("customers", attributes(form)), "created"),
    confirm: (registrationKey) => code(api.create("customer-confirmation", { registrationKey }), "confirmed"),
    signIn: (username, password) => tokens(api.create("access-tokens", { username, password })),
    refresh: (refreshToken) => tokens(api.create("refresh-tokens", { refreshToken })),
    email: async (accessToken) => (await api.get("customers", { headers: bearer(accessToken) })).data[0].email,
  };
}
