"""A real rspamd on this machine, with a configuration of its own that asks nothing of the network."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from harness.gateway import DIES_WITH_US
from harness.ports import HOST, free_port
from registration.mail.message import Message
from tests.programs import program
from tests.waiting import eventually

# Rules and scores are Debian's. Left out is what needs DNS, lists of hosts or what rspamd has learned, and so would
# differ by machine and day. The list of public suffixes is short: rspamd takes half a minute to compile the real one.
CONFIGURATION = """
options {{
    pidfile = "{0}/pid"; control_socket = "{0}/control mode=0600"; tempdir = "{0}"; hs_cache_dir = "{0}";
    cache_file = "{0}/symbols.cache"; url_tld = "{0}/suffixes"; local_addrs = []; explicit_modules = ["settings"];
    filters = "chartable,regexp"; disable_hyperscan = true;
    dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }}
}}
logging {{ type = "file"; filename = "{0}/log"; level = "notice"; }}
worker "normal" {{ bind_socket = "{1}:{2}"; count = 1; }}
lua = "$RULESDIR/rspamd.lua";
.include "$CONFDIR/metrics.conf"
.include "$CONFDIR/actions.conf"
.include "$CONFDIR/groups.conf"
.include "$CONFDIR/composites.conf"
modules {{ path = "$PLUGINSDIR"; }}
chartable {{ threshold = 0.3; symbol = "R_MIXED_CHARSET"; }}
phishing {{ symbol = "PHISHING"; }}
mime_types {{
    file = ["$CONFDIR/maps.d/mime_types.inc"]; extension_map = {{ html = "text/html"; txt = "text/plain"; }}
}}
forged_recipients {{ symbol_sender = "FORGED_SENDER"; symbol_rcpt = "FORGED_RECIPIENTS"; }}
hfilter {{ url_enabled = true; }}
mid = {{ source = {{ url = ["$CONFDIR/maps.d/mid.inc"]; }} }}
"""


def rspamd_of_this_machine() -> str:
    """The path of rspamd; see `program`."""
    return program("rspamd", package="rspamd", variable="REQUIRE_RSPAMD", untested="SPAM SCORE NOT TESTED")


class Rspamd:
    """One that listens on a port of the loopback interface."""

    def __init__(self, port: int) -> None:
        self._port = port

    def answers(self) -> bool:
        try:
            return self._ask("GET", "/ping", b"", {}) == b"pong\r\n"
        except OSError:
            return False

    def scores(self, message: Message) -> dict[str, float]:
        """What counts for the message or against it, by the name of the rule."""
        envelope = {"From": message.sender, "Rcpt": message.recipient}
        answer = json.loads(self._ask("POST", "/checkv2", message.content, envelope))
        assert not answer["is_skipped"]
        return {name: found["score"] for name, found in answer["symbols"].items() if found["score"]}

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        connection = HTTPConnection(HOST, self._port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            return connection.getresponse().read()
        finally:
            connection.close()


@contextmanager
def running_rspamd(program: str, directory: Path) -> Iterator[Rspamd]:
    port = free_port()
    (directory / "suffixes").write_text("example\norg\n")
    configuration = directory / "rspamd.conf"
    configuration.write_text(CONFIGURATION.format(directory, HOST, port))
    user = ["--insecure", "--user=root", "--group=root"] if os.geteuid() == 0 else []
    variables = [f"--var={name}={directory}" for name in ("DBDIR", "RUNDIR", "LOGDIR")]
    with (directory / "output").open("wb") as output:
        command = [*DIES_WITH_US, program, "--no-fork", *user, f"--config={configuration}", *variables]
        process = subprocess.Popen(command, stdout=output, stderr=output)
    rspamd = Rspamd(port)
    try:
        eventually(rspamd.answers)
        yield rspamd
    finally:
        process.terminate()
        process.wait()
