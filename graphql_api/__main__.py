"""The command `registration-gateway`, and `python -m graphql_api`: a process of ours begins here; it parses nothing."""

import gc

# What a start makes stays: looking through it again and again while it is made takes a tenth of the start.
gc.set_threshold(20_000, 20, 20)

from graphql_api.cli.main import main  # noqa: E402

if __name__ == "__main__":
    main()
