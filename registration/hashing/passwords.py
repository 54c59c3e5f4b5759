"""Password hashes on threads of their own, one for each hash slot."""

import os
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from enum import Enum
from functools import partial
from secrets import token_bytes
from threading import get_native_id, local
from typing import ParamSpec, TypeVar

from argon2 import Parameters, Type
from argon2.low_level import ARGON2_VERSION

from registration import metrics
from registration.hashing.argon2id import Argon2id
from registration.hashing.foreign_hashes import argon2_parameters, is_affordable, verify_argon2, verify_bcrypt
from registration.tracing import traces

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

MAX_BYTES = 4096  # of a password
NICENESS = 10
"""The niceness of hash threads, from 0 (as important as all others) to 19."""

MAY_HASH: ContextVar[bool] = ContextVar("may_hash", default=True)
"""False in a request that is not in a turn of the admission, and in the copies of its context that threads work in."""


class HashNotAllowed(Exception):
    """A bug: a request hashes without a turn. An operation gets one if its resolver is marked as one that hashes."""


class Verdict(Enum):
    """Whether a password is the right one."""

    WRONG = "wrong"
    RIGHT = "right"
    OUTDATED = "right, and the hash should be replaced by a new one of ours"

    @property
    def is_right(self) -> bool:
        return self is not Verdict.WRONG


class Passwords:
    """Hashes and verifies passwords on the threads of `slots` hash slots.

    These threads do nothing else, because a hash that moves between many threads takes 2-3 ms more. `hash` and `verify`
    raise HashNotAllowed where MAY_HASH is False.
    """

    def __init__(self, *, memory_kib: int, time_cost: int, parallelism: int, slots: int) -> None:
        self._argon2id = Argon2id(memory_kib=memory_kib, time_cost=time_cost, parallelism=parallelism)
        self._parameters = Parameters(Type.ID, ARGON2_VERSION, 16, 32, time_cost, memory_kib, parallelism)
        self._decoy_hash = _decoy_hash(self._parameters)
        self.slots = slots
        self._thread = local()
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="hash", initializer=self._init_thread)
        metrics.HASH_SLOTS.inc(slots)

    def submit(self, work: Callable[[], None]) -> None:
        """Run work that hashes on the thread of a slot, when one is free; `hash` and `verify` then need no other."""
        metrics.QUEUE_FOR_SLOT.inc()
        self._threads.submit(_in_slot, time.perf_counter(), traces.place(), work)

    def hash(self, password: str) -> str:
        """The encoded hash with a salt of its own; blocks until a slot is free."""
        return self._on_hash_thread(self._argon2id.hash, password.encode("utf-8", "surrogatepass"))

    def verify(self, encoded: str | None, password: str, *older_forms: str) -> Verdict:
        """Compare with a stored hash, ours or one of another shop; blocks until a slot is free.

        When only one of `older_forms` of the password fits, the hash is OUTDATED. Each form that does not fit costs a
        hash. `encoded` is None where no account has the address: that is WRONG after the same work.
        """
        verdict = self._verify_form(encoded or "", password)
        if verdict is Verdict.WRONG and any(self._verify_form(encoded or "", each).is_right for each in older_forms):
            return Verdict.OUTDATED
        return verdict

    def _verify_form(self, encoded: str, password: str) -> Verdict:
        # A client's password may hold lone surrogates; it then fits no hash but its own.
        given = password.encode("utf-8", "surrogatepass")
        if not 0 < len(given) <= MAX_BYTES:  # does not depend on the account
            return Verdict.WRONG
        return self._on_hash_thread(self._verify, encoded, given)

    def close(self) -> None:
        self._threads.shutdown()
        metrics.HASH_SLOTS.dec(self.slots)
        self._argon2id.close()

    def _init_thread(self) -> None:
        self._thread.is_slot = True
        lower_priority()

    def _on_hash_thread(
        self, work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        if not MAY_HASH.get():
            raise HashNotAllowed
        if getattr(self._thread, "is_slot", False):
            return traces.spanned("hash", work, *args, **kwargs)
        metrics.QUEUE_FOR_SLOT.inc()
        hashing = partial(traces.spanned, "hash", work, *args, **kwargs)
        return self._threads.submit(_in_slot, time.perf_counter(), traces.place(), hashing).result()

    def _verify(self, encoded: str, given: bytes) -> Verdict:
        parameters = argon2_parameters(encoded)
        if parameters is None:
            right = verify_bcrypt(encoded, given)
            return self._refuse(given) if right is None else _verdict(right, Verdict.OUTDATED)
        if parameters != self._parameters and not is_affordable(parameters):
            return self._refuse(given)
        if parameters == self._parameters:
            return _verdict(self._argon2id.verify(encoded, given), Verdict.RIGHT)
        return _verdict(verify_argon2(encoded, given, parameters.type), Verdict.OUTDATED)

    def _refuse(self, given: bytes) -> Verdict:
        """Say no after the work of a hash, so that the time does not tell why."""
        self._argon2id.verify(self._decoy_hash, given)
        return Verdict.WRONG


def lower_priority() -> None:
    """Let every other thread of the machine run before this one, where the system has priorities of threads (Linux).

    A hash takes a processor for milliseconds; a read or a commit must not wait for its slice to end.
    """
    if sys.platform == "linux":  # pragma: no branch (tests run on Linux)
        os.setpriority(os.PRIO_PROCESS, get_native_id(), NICENESS)


def _in_slot(since: float, place: object, work: Callable[[], Result]) -> Result:
    """Run work that has waited for a slot since that moment of the performance counter, for a request at that place."""
    metrics.QUEUE_FOR_SLOT.dec()
    metrics.WAIT_FOR_SLOT.observe(time.perf_counter() - since)
    with metrics.HASH_SLOTS_BUSY.track_inprogress(), traces.at(place):
        traces.waited("wait for a slot", since)
        return work()


def _verdict(right: bool, when_right: Verdict) -> Verdict:
    return when_right if right else Verdict.WRONG


def _decoy_hash(parameters: Parameters) -> str:
    """A hash with our costs that no password fits."""
    salt, digest = (b64encode(token_bytes(size)).decode().rstrip("=") for size in (16, 32))
    cost = f"m={parameters.memory_cost},t={parameters.time_cost},p={parameters.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${cost}${salt}${digest}"
