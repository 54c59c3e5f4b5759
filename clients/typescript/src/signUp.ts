import type { Execute } from "./execute.js";
import { CreateCustomerDocument, type CreateCustomerInput, type CreateCustomerMutation } from "./generated.js";

export type SignUpResult = CreateCustomerMutation["createCustomer"];

/** What is wrong with a field, as any operation answers it. */
export type Violation = Extract<SignUpResult, { __typename: "InvalidInputError" }>["violations"][number];

/** What is wrong with a field; `params` has the figures of the rule, like `minimum`. */
export interface FieldError {
  code: Violation["code"];
  message: string;
  params: Record<string, unknown>;
}

/** Errors by the name of the field of the input, each list in the order of the answer. */
export type FieldErrors = Record<string, FieldError[]>;

/** Signs up. `result` is the member of the union, `fields` is empty unless that is InvalidInputError. */
export async function signUp(
  execute: Execute,
  input: CreateCustomerInput,
): Promise<{ result: SignUpResult; fields: FieldErrors }> {
  const { createCustomer: result } = await execute(CreateCustomerDocument, { input });
  return { result, fields: result.__typename === "InvalidInputError" ? fieldErrors(result.violations) : {} };
}

/** The violations of any operation by field. */
export function fieldErrors(violations: readonly Violation[]): FieldErrors {
  const fields: FieldErrors = {};
  for (const { path, code, message, ...figures } of violations) {
    const params = Object.entries(figures).filter(([name, value]) => name !== "__typename" && value != null);
    const field = path[0] === "input" ? path.slice(1) : path;
    (fields[field.join(".")] ??= []).push({ code, message, params: Object.fromEntries(params) });
  }
  return fields;
}
