"""How fast the gateway is compared with the bare hash, on this machine: `make bench`."""
