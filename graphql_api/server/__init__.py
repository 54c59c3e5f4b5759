"""Uvicorn with its bounds, response headers, the queue before the hash slots, and the port of the metrics."""
