"""A campaign of hostile requests against real gateways: `make fuzz`."""
