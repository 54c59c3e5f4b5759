"""The RSA and P-256 keys that sign and verify access tokens: key files, any number at once."""

import json
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import Any, Literal, TypeVar, cast

import jwt
import structlog
from cachetools import LRUCache
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ec import (
    generate_private_key as generate_curve_key,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from registration.keys.key_files import KeyFileError, create_key_file, read_key_file
from registration.keys.link_keys import digest

Claims = TypeVar("Claims")

Algorithm = Literal["RS256", "ES256"]
"""Of RFC 7518; each key has one, whatever a token says of itself."""

MADE: Mapping[str, tuple[Algorithm, ...]] = {"both": ("RS256", "ES256"), "RS256": ("RS256",), "ES256": ("ES256",)}
"""The keys that are made together, by the values of GATEWAY_TOKEN_ALGORITHM."""

BITS = 3072  # of new RSA keys: 128 bits of security (NIST SP 800-57, part 1, table 2)
LEAST_BITS = 2048
"""Of keys that were made before, or by the shop that is replaced."""

# <number>-<random>: the highest number is the newest key. File times do not survive copying to another node.
KID = re.compile(r"([1-9]\d{0,8})-[0-9a-f]{16}")
LOOK_EVERY = 1.0  # seconds
VERIFIED_TOKENS = 10_000
"""Verified tokens that are cached; about a kilobyte each."""
ANY_TIME: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key and the name that tokens carry in their header."""

    kid: str
    algorithm: Algorithm = field(repr=False)
    private: RSAPrivateKey | EllipticCurvePrivateKey = field(repr=False)
    public: RSAPublicKey | EllipticCurvePublicKey = field(repr=False)


class SigningKeys:
    """The keys of a directory: the newest signs, all verify. Files that come and go count without a restart.

    `clock` counts seconds. Safe for any thread.
    """

    def __init__(self, directory: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the keys; raises KeyFileError when there is none, or one that is damaged or open to other users."""
        kids = _kids_in(directory)
        if not kids:
            raise KeyFileError(f"{directory} holds no signing key; create one with: registration-gateway keys new")
        self._directory = directory
        self._clock = clock
        self._lock = Lock()
        self._verified: LRUCache[tuple[str, str], tuple[str, object]] = LRUCache(VERIFIED_TOKENS)
        self._keys = {kid: _load(directory, kid) for kid in kids}
        self._looked_at = clock()

    def newest(self, algorithm: Algorithm = "ES256") -> SigningKey:
        """The key that signs: of those that were made last, the one of this algorithm, else another."""
        keys = self.all()
        made_last = [key for key in keys if age(key.kid)[0] == age(keys[0].kid)[0]]
        return next((key for key in made_last if key.algorithm == algorithm), made_last[0])

    def all(self) -> list[SigningKey]:
        """Every key that verifies, the newest first."""
        with self._lock:
            if self._clock() >= self._looked_at + LOOK_EVERY:
                self._look()
            return sorted(self._keys.values(), key=lambda key: age(key.kid), reverse=True)

    def find(self, kid: str) -> SigningKey | None:
        """The key with this id, or None. A new one is found at once: another node may sign with it already."""
        with self._lock:
            if kid not in self._keys and KID.fullmatch(kid) and _path(self._directory, kid).exists():
                self._look()
            return self._keys.get(kid)

    def verify(self, token: str, audience: str, read: Callable[[Mapping[str, Any]], Claims]) -> Claims | None:
        """What `read` makes of a token that one of the keys has signed for this audience, or None for another token.

        Neither looks at times: it is done once for a token, which takes a quarter of a millisecond, and remembered as
        long as there is the key. `read` is the same function each time, and its result is not changed.
        """
        name = (audience, digest(token))
        with self._lock:
            kid, claims = self._verified.get(name, ("", None))
            if kid in self._keys:
                return cast("Claims", claims)
        try:
            key = self.find(_kid_of(token))
            if key is None:
                return None
            found = jwt.decode(token, key.public, [key.algorithm], ANY_TIME, audience=audience)
        except (jwt.PyJWTError, LookupError, TypeError, ValueError, RecursionError):
            return None
        claims = read(found)
        with self._lock:
            self._verified[name] = (key.kid, claims)
        return claims

    def _look(self) -> None:
        """Read the directory again, under the lock. A process keeps its keys when no usable one is left there."""
        self._looked_at = self._clock()
        found = {}
        for kid in _kids_in(self._directory):
            try:
                found[kid] = self._keys.get(kid) or _load(self._directory, kid)
            except KeyFileError as error:
                log.warning("signing key ignored", reason=str(error))
        self._keys = found or self._keys


def create_signing_keys(directory: Path, made: str) -> list[str]:
    """Write keys that are newer than all others, of the algorithms of MADE; returns the ids, which have one number."""
    number = max((age(kid)[0] for kid in _kids_in(directory)), default=0) + 1
    return [_create(directory, algorithm, number) for algorithm in MADE[made]]


def create_signing_key(directory: Path, algorithm: Algorithm = "RS256") -> str:
    """As `create_signing_keys`, for one key."""
    return create_signing_keys(directory, algorithm)[0]


def _create(directory: Path, algorithm: Algorithm, number: int) -> str:
    kid = f"{number}-{token_hex(8)}"
    key = generate_curve_key(SECP256R1()) if algorithm == "ES256" else generate_private_key(65537, BITS)
    create_key_file(_path(directory, kid), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return kid


def has_signing_key(directory: Path) -> bool:
    return bool(_kids_in(directory))


def _kids_in(directory: Path) -> list[str]:
    names = (path.name.removeprefix("signing-").removesuffix(".pem") for path in directory.glob("signing-*.pem"))
    return [name for name in names if KID.fullmatch(name)]


def age(kid: str) -> tuple[int, str]:
    """The order of keys: by the number in the id, then by its random part."""
    number, _, random = kid.partition("-")
    return int(number), random


def _kid_of(token: str) -> str:
    """The id of the key in the header, which is read as a whole when the signature is checked.

    Raises LookupError, TypeError, ValueError or RecursionError when there is none.
    """
    header = token.partition(".")[0]
    return str(json.loads(urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"])


def _path(directory: Path, kid: str) -> Path:
    return directory / f"signing-{kid}.pem"


def _load(directory: Path, kid: str) -> SigningKey:
    path = _path(directory, kid)
    try:
        key = load_pem_private_key(read_key_file(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFileError(f"{path} is not a private key without a passphrase, in PEM") from None
    if isinstance(key, RSAPrivateKey) and key.key_size >= LEAST_BITS:
        return SigningKey(kid, "RS256", key, key.public_key())
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return SigningKey(kid, "ES256", key, key.public_key())
    raise KeyFileError(f"{path} is neither an RSA key of {LEAST_BITS} bits or more nor one of the curve P-256")
