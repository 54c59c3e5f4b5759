"""The commands for support: what an operator does for a customer, and the operators' tokens."""
