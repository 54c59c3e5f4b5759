"""What a browser opens: the pages behind mailed links, probes, public keys, development tools."""
