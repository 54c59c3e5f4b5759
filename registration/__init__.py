"""The domain: customers from sign-up to erasure; it never knows of GraphQL, HTTP or JSON:API."""
