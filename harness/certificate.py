"""A self-signed certificate, made with the standard library because a fresh machine has no openssl command."""

import secrets
import ssl
from base64 import encodebytes
from datetime import UTC, datetime, timedelta
from hashlib import sha1, sha256
from pathlib import Path

# The curve P-256 (FIPS 186): y² = x³ - 3x + b modulo P, a point G on it, and the order N of that point.
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
ECDSA_WITH_SHA256 = bytes.fromhex("2a8648ce3d040302")
EC_PUBLIC_KEY = bytes.fromhex("2a8648ce3d0201")
P_256 = bytes.fromhex("2a8648ce3d030107")
COMMON_NAME = bytes.fromhex("550403")
KEY_IDENTIFIER, KEY_USAGE, ALTERNATIVE_NAME, CONSTRAINTS = (bytes.fromhex(f"551d{n}") for n in ("0e", "0f", "11", "13"))

Point = tuple[int, int]


def server_context(directory: Path, host: bytes = b"\x7f\x00\x00\x01", days: int = 1) -> ssl.SSLContext:
    """A context for a server whose certificate names an IP address; the certificate is in cert.pem."""
    private = secrets.randbelow(N - 1) + 1
    x, y = _times(private, G)
    public = b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")
    (directory / "cert.pem").write_text(_pem("CERTIFICATE", _certificate(private, public, host, days)))
    (directory / "key.pem").write_text(_pem("EC PRIVATE KEY", _private_key(private, public)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    return context


def _certificate(private: int, public: bytes, host: bytes, days: int) -> bytes:
    now = datetime.now(UTC)
    algorithm = _sequence(_der(6, ECDSA_WITH_SHA256))
    name = _sequence(_der(0x31, _sequence(_der(6, COMMON_NAME), _der(12, b"test"))))
    key = _sequence(_sequence(_der(6, EC_PUBLIC_KEY), _der(6, P_256)), _der(3, b"\0" + public))
    extensions = _sequence(
        _extension(CONSTRAINTS, _sequence(_der(1, b"\xff")), critical=True),
        _extension(KEY_USAGE, _der(3, b"\x02\x84"), critical=True),  # digitalSignature, keyCertSign
        _extension(KEY_IDENTIFIER, _der(4, sha1(public, usedforsecurity=False).digest())),
        _extension(ALTERNATIVE_NAME, _sequence(_der(0x87, host))),
    )
    body = _sequence(
        _der(0xA0, _integer(2)),
        _integer(secrets.randbits(63)),
        algorithm,
        name,
        _sequence(_time(now - timedelta(days=2)), _time(now + timedelta(days=days))),
        name,
        key,
        _der(0xA3, extensions),
    )
    return _sequence(body, algorithm, _der(3, b"\0" + _sign(private, body)))


def _private_key(private: int, public: bytes) -> bytes:
    return _sequence(
        _integer(1),
        _der(4, private.to_bytes(32, "big")),
        _der(0xA0, _der(6, P_256)),
        _der(0xA1, _der(3, b"\0" + public)),
    )


def _sign(private: int, message: bytes) -> bytes:
    once = secrets.randbelow(N - 1) + 1
    r = _times(once, G)[0] % N
    s = pow(once, -1, N) * (int.from_bytes(sha256(message).digest(), "big") + r * private) % N
    return _sequence(_integer(r), _integer(s))


def _times(factor: int, point: Point) -> Point:
    result: Point | None = None
    while factor:
        if factor & 1:
            result = point if result is None else _plus(result, point)
        point = _plus(point, point)
        factor >>= 1
    assert result is not None
    return result


def _plus(a: Point, b: Point) -> Point:
    slope = (3 * a[0] ** 2 - 3) * pow(2 * a[1], -1, P) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope**2 - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def _extension(identifier: bytes, value: bytes, *, critical: bool = False) -> bytes:
    return _sequence(_der(6, identifier), _der(1, b"\xff") if critical else b"", _der(4, value))


def _time(moment: datetime) -> bytes:
    return _der(0x17, f"{moment:%y%m%d%H%M%SZ}".encode())


def _integer(value: int) -> bytes:
    return _der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _sequence(*parts: bytes) -> bytes:
    return _der(0x30, *parts)


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8 or 1, "big")
    return bytes([tag]) + (size if len(body) < 128 else bytes([0x80 | len(size)]) + size) + body


def _pem(label: str, data: bytes) -> str:
    return f"-----BEGIN {label}-----\n{encodebytes(data).decode()}-----END {label}-----\n"
