"""The bell between admission and the dispatcher: rings after a commit, so that a job starts at once."""

import asyncio


class Outbox:
    """Rung by services after they committed a job; waited for by the dispatcher."""

    def __init__(self) -> None:
        self._bell = asyncio.Event()

    def notify(self) -> None:
        """A job has been committed."""
        self._bell.set()

    async def wait(self, timeout_s: float) -> None:
        """Return when the bell rang or the time is over, whichever is first."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._bell.wait()
        except TimeoutError:
            return
        finally:
            self._bell.clear()
