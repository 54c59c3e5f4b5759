"""The gateway: the schema, its resolvers, and the application that serves them. Rules are in `registration`."""
