"""Limits: counts of attempts, budgets of clients and mailboxes, the lock-out, replays by idempotency key."""
