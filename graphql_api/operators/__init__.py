"""The operator schema: what an operator does for a customer, on a port of its own, with a token and its scopes."""
