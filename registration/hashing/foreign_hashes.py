"""Password hashes of the shop that customers came from, bcrypt and Argon2: verified, but not made."""

import re
from base64 import b64encode
from hashlib import sha512

import bcrypt
from argon2 import Parameters, Type, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.low_level import verify_secret

BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
BCRYPT_BYTES = 72
# So that a client that can write into the table cannot stop the service with a hash that takes a night.
# PHP's own defaults are 64 MiB, 4 passes and cost 10 to 13.
MAX_MEMORY_KIB = 262_144
MAX_TIME_COST = 16
MAX_PARALLELISM = 16
BCRYPT_COSTS = range(4, 15)


def verify_bcrypt(encoded: str, password: bytes) -> bool | None:
    """Whether the password is right; None when the text is no bcrypt hash, or one of a cost that is not allowed."""
    shape = BCRYPT.fullmatch(encoded)
    if shape is None or int(shape[1]) not in BCRYPT_COSTS:
        return None
    try:
        return bcrypt.checkpw(_within_bcrypt(password), encoded.encode())
    except ValueError:  # a salt with bits that no salt has
        return None


def _within_bcrypt(password: bytes) -> bytes:
    """What Symfony's password hasher gives to bcrypt, which reads 72 bytes and stops at a NUL."""
    if len(password) <= BCRYPT_BYTES and b"\0" not in password:
        return password
    return b64encode(sha512(password).digest())[:BCRYPT_BYTES]


def argon2_parameters(encoded: str) -> Parameters | None:
    """The parameters of an Argon2i or Argon2id hash; None for anything else."""
    try:
        parameters = extract_parameters(encoded)
    except InvalidHashError:
        return None
    return parameters if parameters.type in {Type.I, Type.ID} else None


def is_affordable(parameters: Parameters) -> bool:
    return (
        parameters.memory_cost <= MAX_MEMORY_KIB
        and parameters.time_cost <= MAX_TIME_COST
        and parameters.parallelism <= MAX_PARALLELISM
    )


def verify_argon2(encoded: str, password: bytes, kind: Type) -> bool:
    """Whether the password is right; the caller has checked the costs with `is_affordable`."""
    try:
        return verify_secret(encoded.encode("utf-8", "surrogatepass"), password, kind)
    except Argon2Error:  # another password, or a hash that is damaged
        return False
