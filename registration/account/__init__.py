"""A customer's own data: profile, change of address, erasure and its proof; housekeeping, which ends expired rows."""
