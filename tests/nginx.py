"""A real nginx on this machine, with a configuration of a test."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.gateway import DIES_WITH_US
from tests.programs import program
from tests.waiting import eventually

# What a package of nginx puts around a configuration.
AROUND = """
daemon off;
user root;
pid {0}/pid;
error_log {0}/start.log;
events {{}}
http {{
    client_body_temp_path {0}/body;
    proxy_temp_path {0}/proxy;
    fastcgi_temp_path {0}/fastcgi;
    uwsgi_temp_path {0}/uwsgi;
    scgi_temp_path {0}/scgi;
    include {0}/gateway.conf;
}}
"""


def nginx_of_this_machine() -> str:
    """The path of nginx; see `program`."""
    return program("nginx", package="nginx", variable="REQUIRE_NGINX", untested="PROXY NOT TESTED")


@contextmanager
def running_nginx(nginx: str, directory: Path, configuration: str) -> Iterator[None]:
    """Run nginx with its files in `directory`, until the block ends."""
    (directory / "gateway.conf").write_text(configuration)
    (directory / "nginx.conf").write_text(AROUND.format(directory))
    with subprocess.Popen([*DIES_WITH_US, nginx, "-c", directory / "nginx.conf"]) as process:
        try:
            eventually(lambda: process.poll() is not None or (directory / "pid").exists())
            assert process.poll() is None, (directory / "start.log").read_text()
            yield
        finally:
            process.terminate()
