"""The server of the metrics: a thread with a port of its own, beside the workers whose counts it adds up."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from glob import glob
from importlib.metadata import version
from pathlib import Path
from socket import AF_INET, AF_INET6
from tempfile import TemporaryDirectory
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app, multiprocess
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from graphql_api.settings import GatewaySettings
from registration import metrics
from registration.environment import SettingsError
from registration.hashing.argon2id import built_for
from registration.records.backlog import backlog
from registration.services import utc_now
from registration.storage.database import Database, Unavailable, open_database
from registration.storage.deadline import within

SHARED_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
"""The variable from which workers know where to count."""

LOOK_SECONDS = 2.0
"""How long a look into the database may take; Prometheus waits for 10 by default."""


@contextmanager
def metrics_served(settings: GatewaySettings, *, workers: int = 1) -> Iterator[None]:
    """Serve metrics until the block ends, if a setting asks for them. Enter it before the workers start.

    Raises SettingsError when the process cannot listen on the address.
    """
    if not settings.metrics_port:
        yield
        return
    with TemporaryDirectory(prefix="gateway-metrics-") as directory:
        shared = Path(directory) if workers > 1 else None
        if shared:
            os.environ[SHARED_DIRECTORY] = directory
        with closing(open_database(settings.database_url, readers=1)) as database:
            registry = CollectorRegistry()
            registry.register(Exposed(database, shared))
            server = _listen(settings, registry)
            thread = Thread(target=server.serve_forever, name="metrics", daemon=True)
            thread.start()
            yield
            server.shutdown()
            server.server_close()
            thread.join()


class Exposed(Collector):
    """All metrics of this process or, with a directory, of the processes that count there."""

    def __init__(self, database: Database, shared: Path | None) -> None:
        self._database = database
        self._shared = shared
        self._hash_build = built_for() or "portable"

    def collect(self) -> Iterable[Metric]:
        yield from self._counted()
        try:
            with within(LOOK_SECONDS):
                found = self._database.read(lambda connection: backlog(connection, utc_now()))
        except Unavailable:
            found = None
        yield from metrics.looked_up(found, version("registration-gateway"), self._hash_build)

    def _counted(self) -> Iterable[Metric]:
        if self._shared is None:
            return metrics.REGISTRY.collect()
        forget_the_dead(self._shared)
        collector = multiprocess.MultiProcessCollector(CollectorRegistry(), str(self._shared))  # type: ignore[no-untyped-call]
        return collector.collect()  # type: ignore[no-any-return, no-untyped-call]


def forget_the_dead(directory: Path) -> None:
    """Drop the present state of processes that have ended, such as their busy slots; what they counted stays."""
    for path in glob(f"{directory}/gauge_live*_*.db"):
        pid = int(Path(path).stem.rpartition("_")[2])
        if not Path(f"/proc/{pid}").exists():
            multiprocess.mark_process_dead(pid, str(directory))  # type: ignore[no-untyped-call]


def _listen(settings: GatewaySettings, registry: CollectorRegistry) -> WSGIServer:
    expose = make_wsgi_app(registry)

    def application(environ: dict[str, object], start_response: Callable[..., object]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != settings.metrics_path:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"Not found\n"]
        found: Iterable[bytes] = expose(environ, start_response)
        return found

    try:
        return make_server(settings.metrics_host, settings.metrics_port, application, _server_class(settings), Quiet)
    except OSError as error:
        place = f"GATEWAY_METRICS_HOST {settings.metrics_host} with GATEWAY_METRICS_PORT {settings.metrics_port}"
        raise SettingsError(f"{place}: cannot listen there: {error.strerror}") from None


def _server_class(settings: GatewaySettings) -> type[WSGIServer]:
    class Server(WSGIServer):
        address_family = AF_INET6 if ":" in settings.metrics_host else AF_INET

    return Server


class Quiet(WSGIRequestHandler):
    """Logs nothing: one line every 15 seconds says no more than the metrics do."""

    timeout = 5

    def log_message(self, format: str, *args: object) -> None:
        """Called for each request."""
