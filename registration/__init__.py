"""The domain: customers from sign-up to erasure. An import rule keeps GraphQL, HTTP and JSON:API out of it."""
