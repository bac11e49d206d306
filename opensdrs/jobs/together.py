"""Run effects at the same time and let the first failure through as itself, so that callers can tell what it was."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

from opensdrs.domain.errors import Superseded

T = TypeVar("T")


async def together(actions: Iterable[Awaitable[T]]) -> list[T]:
    """Await all; when one fails, cancel the others and raise its exception (`Superseded` before any other)."""
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(_await(action)) for action in actions]
    except BaseExceptionGroup as group:
        raise next(
            (error for error in group.exceptions if isinstance(error, Superseded)), group.exceptions[0]
        ) from None
    return [task.result() for task in running]


async def _await(action: Awaitable[T]) -> T:
    return await action
