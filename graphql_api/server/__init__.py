"""Uvicorn with bounds of its own, the queue before the hash slots, and the correlation id of a request."""
