"""How fast the gateway is beside the bare hash, on this machine: `make bench`."""
