"""The gateway: the schema, its resolvers and the application that serves them; it never holds a business rule."""
