"""Argon2id on memory that is kept between hashes: one block for each thread that hashes.

libargon2 asks malloc for its memory and gives it back after each hash. glibc returns blocks over 32 MiB to the kernel,
whose page faults then cost up to half of the time. libargon2 lets the caller bring the memory: that is done here.
"""

import mmap
import re
from base64 import b64decode, b64encode
from contextlib import suppress
from hmac import compare_digest
from pathlib import Path
from secrets import token_bytes
from threading import local
from typing import Any

from _argon2_cffi_bindings import _ffi  # type: ignore[import-untyped] # it has no stubs
from argon2 import Parameters, Type, extract_parameters
from argon2.exceptions import HashingError
from argon2.low_level import ARGON2_VERSION, core, error_to_str, ffi

SALT_BYTES = 16
HASH_BYTES = 32
HUGE_PAGE = 2 * 1024 * 1024


def built_for(module: Path | None = None) -> str | None:
    """The processors libargon2 was compiled for, as -march names them; None for the portable wheel.

    The compiler wrote its flags into the module, when it was built by native/build.py or as docs/speed.md says.
    """
    found = re.search(rb"-march=([\w.+-]+)", (module or Path(_ffi.__file__)).read_bytes())
    return found[1].decode() if found else None


class Block:
    """Memory for one hash at a time; in huge pages where the kernel gives them."""

    def __init__(self, size: int) -> None:
        self.allocate = ffi.callback("int(uint8_t **, size_t)", self._hand_out)
        self.free = ffi.callback("void(uint8_t *, size_t)", _keep)
        pages = -(-size // HUGE_PAGE) * HUGE_PAGE if size >= HUGE_PAGE else size
        # Private, because the kernel gives shared memory no huge pages unless it is told to for the whole machine.
        self._memory = mmap.mmap(-1, pages, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with suppress(AttributeError, OSError):  # not Linux, or a kernel without huge pages
            self._memory.madvise(mmap.MADV_HUGEPAGE)
        self._start = ffi.from_buffer("uint8_t[]", self._memory)

    def close(self) -> None:
        """Give the memory back to the kernel."""
        ffi.release(self._start)
        self._memory.close()

    def _hand_out(self, place: Any, _size: int) -> int:
        place[0] = self._start
        return 0


def _keep(_start: Any, _size: int) -> None:
    """libargon2 has finished with the block, which waits for the next hash."""


class Argon2id:
    """Hashes and verifies passwords as argon2-cffi does; each calling thread keeps a block until `close`."""

    def __init__(self, *, memory_kib: int, time_cost: int, parallelism: int) -> None:
        self.parameters = Parameters(
            Type.ID, ARGON2_VERSION, SALT_BYTES, HASH_BYTES, time_cost, memory_kib, parallelism
        )
        self._of_thread = local()
        self._blocks: list[Block] = []

    def hash(self, password: bytes) -> str:
        """The encoded hash (`$argon2id$v=19$m=…,t=…,p=…$salt$hash`) with a new salt."""
        salt = token_bytes(SALT_BYTES)
        costs = self.parameters
        digest = self._digest(costs, password, salt)
        cost = f"m={costs.memory_cost},t={costs.time_cost},p={costs.parallelism}"
        return f"$argon2id$v={costs.version}${cost}${_encode(salt)}${_encode(digest)}"

    def verify(self, encoded: str, password: bytes) -> bool:
        """Whether the password is that of an encoded hash, by the hash's own parameters; any of the three Argon2 types.

        Raises argon2.exceptions.InvalidHashError for a text that is no such hash.
        """
        parameters = extract_parameters(encoded)
        salt, digest = map(_decode, encoded.split("$")[-2:])
        return compare_digest(self._digest(parameters, password, salt), digest)

    @property
    def keeps_memory(self) -> bool:
        """Whether a block is held; False before the first hash, and where the system forbids callbacks."""
        return bool(self._blocks)

    def close(self) -> None:
        """Give all memory back; no thread may be hashing."""
        self._of_thread = local()
        while self._blocks:
            self._blocks.pop().close()

    def _digest(self, parameters: Parameters, password: bytes, salt: bytes) -> bytes:
        digest = ffi.new("uint8_t[]", parameters.hash_len)
        given, salted = ffi.from_buffer("uint8_t[]", password), ffi.from_buffer("uint8_t[]", salt)
        context = ffi.new(
            "argon2_context *",
            {
                "out": digest,
                "outlen": parameters.hash_len,
                "pwd": given,
                "pwdlen": len(password),
                "salt": salted,
                "saltlen": len(salt),
                "t_cost": parameters.time_cost,
                "m_cost": parameters.memory_cost,
                "lanes": parameters.parallelism,
                "threads": parameters.parallelism,
                "version": parameters.version,
            },
        )
        # A foreign hash may need more memory than we keep; libargon2 then allocates its own.
        if parameters.memory_cost <= self.parameters.memory_cost and (block := self._block()):
            context.allocate_cbk, context.free_cbk = block.allocate, block.free
        status = core(context, parameters.type.value)
        if status != 0:
            raise HashingError(error_to_str(status))
        return bytes(ffi.buffer(digest))

    def _block(self) -> Block | None:
        block: Block | None = getattr(self._of_thread, "block", None)
        if block is None:
            try:
                block = self._of_thread.block = Block(self.parameters.memory_cost * 1024)
            except MemoryError:  # pragma: no cover - a service manager forbids it (systemd: MemoryDenyWriteExecute)
                return None
            self._blocks.append(block)
        return block


def _encode(content: bytes) -> str:
    return b64encode(content).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4))
