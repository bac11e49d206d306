"""Tokens: sealed claims that need no database to be read and that survive a restart (Fernet, 24 h).

A token is revoked by its id; the list of revoked ids is kept by `revocation.py`.
"""

import time
from collections.abc import Callable

import msgspec
from cryptography.fernet import InvalidToken, MultiFernet

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import new_id
from opensdrs.iam.model import Claims, Project, Role, User

LIFETIME_S = 24 * 3600.0
_MAX_TOKEN_CHARS = 8192


class Tokens:
    """Issues and reads tokens."""

    def __init__(self, keys: MultiFernet, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._clock = clock

    def issue(
        self, user: User, project: Project | None, roles: tuple[Role, ...], *, expires_by: float = float("inf")
    ) -> tuple[str, Claims]:
        """Return a new token and what it says; it ends after 24 h, or at `expires_by` if that is earlier."""
        now = self._clock()
        claims = Claims(
            token_id=new_id(),
            user=user,
            project=project,
            roles=roles,
            issued_at=now,
            expires_at=min(now + LIFETIME_S, expires_by),
        )
        return self._keys.encrypt(msgspec.json.encode(claims)).decode("ascii"), claims

    def read(self, token: str) -> Claims:
        """Return what a token says. Raises: APIGW.0301 if it is forged, damaged or expired."""
        if len(token) > _MAX_TOKEN_CHARS or not token.isascii():
            raise refused("APIGW.0301", "the token is not valid")
        try:
            claims = msgspec.json.decode(self._keys.decrypt(token), type=Claims)
        except (InvalidToken, msgspec.MsgspecError) as error:
            raise refused("APIGW.0301", "the token is not valid") from error
        if claims.expires_at <= self._clock():
            raise refused("APIGW.0301", "the token has expired")
        return claims
