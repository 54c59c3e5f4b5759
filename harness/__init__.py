"""Real servers that tests and benchmarks start: gateways, PostgreSQL, SMTP, Valkey, proxies."""
