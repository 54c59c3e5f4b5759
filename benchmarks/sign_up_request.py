"""What a client sends to sign up, through each door, as a mapping that becomes JSON."""

FORM: dict[str, object] = {
    "firstName": "Ada",
    "lastName": "Beispiel",
    "password": "correct horse",
    "confirmPassword": "correct horse",
    "acceptedTerms": True,
}
MUTATION = """mutation Register($input: CreateCustomerInput!) { createCustomer(input: $input) { __typename
... on CreateCustomerSuccess { customer { id reference email } confirmation { expiresAt } }
... on UserError { code message } } }"""


def graphql_request(email: str) -> dict[str, object]:
    """The body of POST /graphql."""
    return {"query": MUTATION, "variables": {"input": FORM | {"email": email, "salutation": "MS", "gender": "FEMALE"}}}


def rest_request(email: str) -> dict[str, object]:
    """The body of POST /customers."""
    return {"data": {"type": "customers", "attributes": attributes(email)}}


def attributes(email: str) -> dict[str, object]:
    """The customer in the words of the REST door, which are those of the domain."""
    return FORM | {"email": email, "salutation": "Ms", "gender": "Female"}
