"""The operations of the schema: each file has the input, the results and the resolver of one."""
