"""The shim: JSON:API in, the same mutation out; it never decides anything the schema decides."""
