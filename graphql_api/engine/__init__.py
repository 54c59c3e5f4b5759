"""How one GraphQL operation runs: read, measured, validated, compiled, executed. No HTTP."""
