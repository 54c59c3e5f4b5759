"""The REST door for legacy Glue clients: it translates JSON:API requests to operations of the schema."""
