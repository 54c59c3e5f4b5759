"""A customer's own data: profile, change of address, erasure and its proof."""
