"""Sessions: signing in, refresh tokens, access tokens."""
