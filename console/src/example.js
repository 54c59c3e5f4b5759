// The example that a newcomer finds in the first tab.
export const query = `# Sign up a customer.
#
# Press the run button (or Ctrl-Enter): it sends this mutation
# with the variables below to POST /graphql.
#
# The answer is a union. Run it twice: the second answer is
# EMAIL_TAKEN. Empty the first name and shorten the password,
# and every violation is listed at once.
#
# After "make run", the confirmation mail is at /mailbox.
# The book icon (top left) opens the docs.

mutation CreateCustomer($input: CreateCustomerInput!) {
  createCustomer(input: $input) {
    __typename
    ... on CreateCustomerSuccess {
      customer {
        id
        reference
        email
      }
    }
    ... on UserError {
      code
      message
    }
    ... on InvalidInputError {
      violations {
        path
        code
        message
      }
    }
  }
}
`;

export const variables = JSON.stringify(
  {
    input: {
      salutation: "MS",
      firstName: "Sonia",
      lastName: "Wagner",
      email: "sonia@example.com",
      gender: "FEMALE",
      password: "correct horse battery",
      confirmPassword: "correct horse battery",
      acceptedTerms: true,
    },
  },
  null,
  2,
);
