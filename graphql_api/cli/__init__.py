"""The command `registration-gateway`, one module for each family of commands."""
