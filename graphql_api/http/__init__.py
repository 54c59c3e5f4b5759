"""GraphQL over HTTP, and what every request gets: a log line, a client IP, a bounded body."""
