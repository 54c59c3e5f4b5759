"""Signing in, refresh tokens, access tokens."""
