"""Passwords: argon2id hashes, checked off the event loop, with the same work for a user who does not exist."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_MOST_AT_ONCE = 4  # 64 MiB of memory each


class Passwords:
    """Hashes and checks passwords."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(_MOST_AT_ONCE)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """Return the hash to store."""
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def is_right(self, stored: str | None, password: str) -> bool:
        """Whether the password belongs to the stored hash; None is a user who does not exist: always False."""
        if stored is None and self._nobody is None:
            self._nobody = await self.hash("nobody's password")
        async with self._slots:
            is_equal = await asyncio.to_thread(self._verify, stored or self._nobody or "", password)
        return is_equal and stored is not None

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
