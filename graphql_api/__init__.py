"""The gateway: the schema, its resolvers, and the application that serves them. The rules are in the domain."""
