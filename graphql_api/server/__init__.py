"""Uvicorn with bounds of its own, the queue before the hash slots, and the server of the metrics."""
