"""Bounded waiting for tests: poll a condition until it holds, or fail with the last thing seen."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    probe: Callable[[], Awaitable[T]], accept: Callable[[T], bool], *, timeout_s: float = 20.0, interval_s: float = 0.02
) -> T:
    """Return the first value of `probe` that `accept` likes. Raises: TimeoutError that shows the last value."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = await probe()
        if accept(value):
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s} s; last seen: {value!r}")
        await asyncio.sleep(interval_s)
