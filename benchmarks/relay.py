"""What a mail costs: a relay of its own sends all that wait, into files."""

import subprocess
import time
from pathlib import Path

from harness.gateway import COMMAND, DIES_WITH_US, outer_environment
from harness.processes import cpu_seconds
from harness.store import Store


def drain(directory: Path, store: Store) -> float:
    """Send every mail that waits, into files, with a relay of its own; its CPU milliseconds for each mail."""
    mails = store.waiting_mails()
    keys = directory / "keys"
    environment = outer_environment() | {
        "GATEWAY_DATABASE_URL": store.url,
        "GATEWAY_KEYS_DIR": str(keys),
        "GATEWAY_MAIL_URL": f"file://{directory / 'mail'}",
        "GATEWAY_MAIL_FROM": "Registration <registration@localhost>",
        "GATEWAY_PUBLIC_URL": "http://localhost",
    }
    subprocess.run([COMMAND, "keys", "new"], env=environment, stdout=subprocess.DEVNULL, check=True)
    relay = subprocess.Popen(
        [*DIES_WITH_US, COMMAND, "relay"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while store.waiting_mails():
            if relay.poll() is not None:
                raise RuntimeError(f"the relay ended with {relay.returncode} and left mails")
            time.sleep(0.2)
        return cpu_seconds(relay.pid) * 1000 / max(1, mails)
    finally:
        relay.terminate()
        relay.wait()
