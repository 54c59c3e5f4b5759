// The JSON:API door's documents, for both of its clients.
import type { CreateCustomerInput } from "../src/index.js";

export function attributes(form: CreateCustomerInput) {
  const { firstName, lastName, email, password, confirmPassword } = form;
  const choices = { salutation: "Ms", gender: "Female", acceptedTerms: true } as const;
  return { firstName, lastName, email, password, confirmPassword, ...choices };
}
