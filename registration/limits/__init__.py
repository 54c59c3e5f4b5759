"""Limits: counts of attempts, the lock-out of clients, replays by idempotency key."""
