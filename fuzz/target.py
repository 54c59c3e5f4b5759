"""The gateways that a campaign is run against: both modes on both engines, with and without concealment."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from fuzz.watched import REPORT
from harness.gateway import Gateway
from harness.store import Engine, store

PRODUCTION = {"GATEWAY_MODE": "production", "GATEWAY_TRUSTED_PROXIES": "127.0.0.1"}
DEVELOPMENT = {"GATEWAY_MODE": "development"}
CONCEAL = {"GATEWAY_DISCLOSURE": "conceal"}


@dataclass(frozen=True, slots=True)
class Setting:
    """A gateway that a campaign is run against."""

    engine: Engine
    settings: Mapping[str, str]

    @property
    def name(self) -> str:
        return " ".join([self.engine, self.settings["GATEWAY_MODE"], self.settings.get("GATEWAY_DISCLOSURE", "reveal")])


SETTINGS = (
    Setting("sqlite", DEVELOPMENT),
    Setting("sqlite", PRODUCTION | CONCEAL),
    Setting("postgresql", PRODUCTION),
    Setting("postgresql", DEVELOPMENT | CONCEAL),
)


@dataclass(frozen=True, slots=True)
class Target:
    """A gateway that serves; its event loop writes into `report`."""

    setting: Setting
    gateway: Gateway
    report: Path

    def reported(self) -> list[tuple[float, float, float]]:
        """Steps that took too long: the end by the monotonic clock, the seconds, the rounds; each is told once."""
        lines = self.report.read_text().splitlines()
        self.report.write_text("")
        return [(float(end), float(seconds), float(rounds)) for end, seconds, rounds in map(str.split, lines)]


@contextmanager
def serving(setting: Setting) -> Iterator[Target]:
    """A watched gateway on a database of its own."""
    with TemporaryDirectory() as name, store(setting.engine, Path(name)) as empty:
        directory = Path(name)
        report = directory / "loop"
        report.touch()
        command = directory / "watched"
        command.write_text(f'#!/bin/sh\n{REPORT}={report} exec {sys.executable} -m fuzz.watched "$@"\n')
        command.chmod(0o755)
        chosen = {"GATEWAY_DATABASE_URL": empty.url, **setting.settings}
        with Gateway(directory, chosen, command) as gateway:
            yield Target(setting, gateway, report)
