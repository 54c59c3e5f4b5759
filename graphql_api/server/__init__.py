"""Uvicorn with bounds of its own, and the queue before the hash slots."""
