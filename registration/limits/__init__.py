"""What is counted: attempts, sign-ins per client, replays by idempotency key."""
