"""Requests signed with an access key: `SDK-HMAC-SHA256`. Pure: a request in, yes or no out.

The clients sign different sets of headers; only the listed ones count, and only `x-sdk-date` must be among them. The
body that arrived is what is hashed: a request whose body is declared unsigned is refused.

Source: CONTRACT 5.2 (the signers of the Python and the Go SDK).
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, unquote

ALGORITHM = "SDK-HMAC-SHA256"
MAX_SKEW_S = 15 * 60
DATE_HEADER = "x-sdk-date"
_SHAPE = re.compile(
    r"SDK-HMAC-SHA256 +Access=(?P<access>[^\s,]+), *SignedHeaders=(?P<headers>[^\s,]+)"
    r", *Signature=(?P<mac>[0-9a-fA-F]{64})"
)
_UNRESERVED = "-_.~"


class BadSignature(Exception):
    """The request was not signed with the key, or not now; the text may be shown to the caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A parsed `Authorization` header."""

    access_key: str
    signed_headers: tuple[str, ...]
    mac: str


def is_signature(authorization: str) -> bool:
    """Whether the header is of this scheme at all; others (a bare token, for example) are no business of ours."""
    return authorization.startswith(ALGORITHM)


def parse(authorization: str) -> Signature:
    """Take the header apart. Raises: BadSignature."""
    match = _SHAPE.fullmatch(authorization.strip())
    if match is None:
        raise BadSignature("the Authorization header is malformed")
    names = tuple(name.lower() for name in match["headers"].split(";"))
    if DATE_HEADER not in names:
        raise BadSignature("X-Sdk-Date is not among the signed headers")
    return Signature(access_key=match["access"], signed_headers=names, mac=match["mac"].lower())


def check(
    signature: Signature,
    secret: str,
    *,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    now: float,
) -> None:
    """Check that the request was signed with `secret`, within 15 minutes of `now` (seconds since the Unix epoch).

    `path` and `query` are as they came over the wire, header names are lower-case. Raises: BadSignature.
    """
    date = headers.get(DATE_HEADER, "")
    _check_date(date, now)
    missing = [name for name in signature.signed_headers if name not in headers]
    if missing:
        raise BadSignature(f"the signed header {missing[0]} is missing")
    canonical = "\n".join(
        [
            method.upper(),
            _canonical_path(path),
            _canonical_query(query),
            *(f"{name}:{headers[name].strip()}" for name in signature.signed_headers),
            "",
            ";".join(signature.signed_headers),
            hashlib.sha256(body).hexdigest(),
        ]
    )
    to_sign = f"{ALGORITHM}\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    expected = hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, signature.mac):
        raise BadSignature("the signature does not match the request")


def _check_date(text: str, now: float) -> None:
    try:
        signed_at = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise BadSignature("X-Sdk-Date is not like 20260102T030405Z") from error
    if abs(signed_at - now) > MAX_SKEW_S:
        raise BadSignature("X-Sdk-Date differs from this server's clock by more than 15 minutes")


def _canonical_path(path: str) -> str:
    encoded = "/".join(quote(part, safe=_UNRESERVED) for part in unquote(path).split("/"))
    return encoded if encoded.endswith("/") else encoded + "/"


def _canonical_query(query: str) -> str:
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{quote(key, safe=_UNRESERVED)}={quote(value, safe=_UNRESERVED)}" for key, value in pairs)
