"""Where a process of the gateway begins: the command `registration-gateway`, and `python -m graphql_api`."""

import gc
import sys

# structlog imports rich, for tracebacks that we do not log: 5 MiB, and a twentieth of the start.
sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402, F401

del sys.modules["rich"]

# Objects made at the start stay: collecting garbage among them takes a tenth of the start.
gc.set_threshold(20_000, 20, 20)

from graphql_api.cli.main import main  # noqa: E402

if __name__ == "__main__":
    main()
