"""A real nginx on this machine, with a configuration of a test."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from harness.certificate import server_context
from harness.gateway import DIES_WITH_US
from harness.ports import HOST, free_port
from tests.programs import program
from tests.waiting import eventually

EXAMPLE = (Path(__file__).parent.parent / "docs" / "nginx.conf").read_text("utf-8")
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


@dataclass(frozen=True, slots=True)
class Example:
    """A running example; `trust` has its certificate, and `directory` its files."""

    port: int
    trust: ssl.SSLContext
    directory: Path

    def client_from(self, address: str) -> httpx2.Client:
        transport = httpx2.HTTPTransport(verify=self.trust, local_address=address)
        return httpx2.Client(transport=transport, base_url=f"https://{HOST}:{self.port}")


@contextmanager
def running_example(nginx: str, directory: Path, text: str, gateway_port: int) -> Iterator[Example]:
    """Run an example as it is published, on other ports and in another directory, in front of a gateway."""
    port = free_port()
    directory.mkdir()
    server_context(directory)
    for published, here in {
        "listen 443 ssl": f"listen {HOST}:{port} ssl",
        "server 127.0.0.1:8000": f"server {HOST}:{gateway_port}",
        "/etc/nginx/tls/": f"{directory}/",
        "/var/log/nginx/": f"{directory}/",
    }.items():
        assert published in text
        text = text.replace(published, here)
    with running_nginx(nginx, directory, text):
        yield Example(port, ssl.create_default_context(cafile=directory / "cert.pem"), directory)


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
