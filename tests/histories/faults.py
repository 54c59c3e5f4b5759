"""Faults: what happens to gateways and databases while clients are busy; each is over when its call returns."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from random import Random
from typing import TypeAlias

from sqlalchemy import make_url

from harness.gateway import Gateway
from harness.lossy_connection import Proxy
from harness.patroni import PatroniCluster
from harness.postgres import PostgresServer

Fault: TypeAlias = Callable[[Random], None]
LEAST, MOST = 0.2, 1.5
"""Seconds of a delay."""


def of_gateways(gateways: Sequence[Gateway]) -> dict[str, Fault]:
    """Each meets one of the gateways; clients find the others."""

    def kill(random: Random) -> None:
        gateway = random.choice(gateways)
        gateway.kill()
        gateway.start()

    def restart(random: Random) -> None:
        gateway = random.choice(gateways)
        gateway.stop(signal.SIGTERM)
        gateway.start()

    def freeze(random: Random) -> None:
        with frozen(random.choice(gateways)):
            wait(random)

    return {"a gateway is killed": kill, "a gateway is restarted": restart, "a gateway stands still": freeze}


def of_sqlite(url: str) -> dict[str, Fault]:
    def lock(random: Random) -> None:
        with closing(sqlite3.connect(make_url(url).database or "", isolation_level=None, timeout=60)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            wait(random)
            connection.execute("ROLLBACK")

    return {"the database is locked": lock}


def of_postgresql(server: PostgresServer, proxy: Proxy) -> dict[str, Fault]:
    def kill(_: Random) -> None:
        server.kill()
        server.start()

    def restart(_: Random) -> None:
        server.restart()

    def freeze(random: Random) -> None:
        with server.frozen():
            wait(random)

    def lose_answers(random: Random) -> None:
        for _ in range(10):
            proxy.lose_next_commit()
            time.sleep(random.uniform(0, 0.1))

    return {
        "the database is killed": kill,
        "the database is restarted": restart,
        "the database stands still": freeze,
        "answers to commits are lost": lose_answers,
    }


def of_cluster(cluster: PatroniCluster) -> dict[str, Fault]:
    """Each loses the leader; the cluster is whole again afterwards."""

    def then_whole(lose: Callable[[PatroniCluster], None]) -> Fault:
        def fault(_: Random) -> None:
            lose(cluster)
            time.sleep(1)
            cluster.start_what_died()
            cluster.wait_until_whole()

        return fault

    return {
        "PostgreSQL of the leader is killed": then_whole(lambda cluster: cluster.leader.kill_postgres()),
        "the node of the leader is killed": then_whole(lambda cluster: cluster.leader.kill()),
        "the leader changes": then_whole(PatroniCluster.switch_over),
    }


@contextmanager
def frozen(gateway: Gateway) -> Iterator[None]:
    """Stop all processes of a gateway meanwhile."""
    os.killpg(gateway.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(gateway.process.pid, signal.SIGCONT)


def wait(random: Random) -> None:
    time.sleep(random.uniform(LEAST, MOST))
