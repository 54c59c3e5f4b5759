"""`python -m graphql_api` is the command `registration-gateway`; it never does anything else."""

from graphql_api.command_line import main

main()
