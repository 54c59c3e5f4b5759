"""Secrets in files and what is derived from them: signing keys, keys of mailed links."""
