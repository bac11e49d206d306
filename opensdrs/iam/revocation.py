"""Tokens that were revoked before their time: in the database, with a copy in memory that is fresh to 10 seconds."""

import time
from collections.abc import Callable

import sqlalchemy as sa

from opensdrs.iam.model import Claims
from opensdrs.store.database import Database
from opensdrs.store.iam_tables import iam_revoked_tokens

REFRESH_S = 10.0  # another control plane's revocations count after this time; this one's at once


class Revocations:
    """The revoked tokens."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._ids: frozenset[str] = frozenset()
        self._read_at = float("-inf")

    async def is_revoked(self, claims: Claims) -> bool:
        """Whether the token was revoked."""
        if self._clock() - self._read_at >= REFRESH_S:
            await self._refresh()
        return claims.token_id in self._ids

    async def revoke(self, claims: Claims) -> None:
        """Make the token worthless. Idempotent."""
        async with self._database.write() as connection:
            await connection.execute(iam_revoked_tokens.delete().where(iam_revoked_tokens.c.expires_at < self._clock()))
            mine = iam_revoked_tokens.c.token_id == claims.token_id
            await connection.execute(iam_revoked_tokens.delete().where(mine))
            values = {"token_id": claims.token_id, "expires_at": claims.expires_at}
            await connection.execute(iam_revoked_tokens.insert().values(values))
        self._ids |= {claims.token_id}

    async def _refresh(self) -> None:
        self._read_at = self._clock()
        async with self._database.read() as connection:
            self._ids = frozenset((await connection.execute(sa.select(iam_revoked_tokens.c.token_id))).scalars())
