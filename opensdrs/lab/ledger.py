"""The witness outside: reads what a ledger server acknowledges over TCP and remembers every number.

Protocol (`lab/guest/`): `LEDGER-CHECK id=.. last=.. bad=..` once, then `ACK <n>` for every durable record.
"""

import asyncio
import re
import time
from dataclasses import dataclass, field

_CHECK = re.compile(r"LEDGER-CHECK id=(\S+) last=(\d+) bad=(\d+)")
_RETRY_S = 0.02
_CONNECT_S = 2.0
# A connection made before the guest listens is tried again by QEMU's network after 6, 18, 42 seconds; a new one is not.
_FIRST_LINE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a ledger found on its disk when it looked: its id, the last record, and how many before it are wrong."""

    ledger_id: str
    last: int
    bad: int


def find_check(text: str) -> Check | None:
    """Return the last `LEDGER-CHECK` in a console's output."""
    found = _CHECK.findall(text)
    if not found:
        return None
    ledger_id, last, bad = found[-1]
    return Check(ledger_id=ledger_id, last=int(last), bad=int(bad))


@dataclass(slots=True)
class Recorder:
    """Follows one ledger at its elastic IP, across restarts and failovers, and records what it acknowledged.

    `acknowledged` holds every number, `last_at` the time (seconds, monotonic) of the newest one.
    """

    address: str
    port: int
    acknowledged: set[int] = field(default_factory=set)
    last: int = 0
    last_at: float = 0.0
    checks: list[tuple[float, Check]] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.create_task(self._follow(), name="ledger.follow")

    async def stop(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def wait_for(self, count: int, timeout_s: float, *, since: float = 0.0) -> float:
        """Return when the first of `count` new numbers came after `since` (monotonic), once all have come.

        Raises: TimeoutError.
        """
        before = self.last
        first_at = 0.0
        async with asyncio.timeout(timeout_s):
            while self.last < before + count:
                self._news.clear()
                await self._news.wait()
                if first_at == 0.0 and self.last > before and self.last_at >= since:
                    first_at = self.last_at
        return first_at

    async def _follow(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_CONNECT_S):
                    reader, writer = await asyncio.open_connection(self.address, self.port)
            except (OSError, TimeoutError):
                await asyncio.sleep(_RETRY_S)
                continue
            try:
                async with asyncio.timeout(_FIRST_LINE_S):
                    line = await reader.readline()
                while line:
                    self._take(line.decode(errors="replace").strip())
                    line = await reader.readline()
            except (OSError, ValueError, TimeoutError):
                await asyncio.sleep(_RETRY_S)
            finally:
                writer.close()

    def _take(self, line: str) -> None:
        check = find_check(line)
        if check is not None:
            self.checks.append((time.monotonic(), check))
        elif line.startswith("ACK "):
            number = int(line[4:])
            self.acknowledged.add(number)
            self.last = max(self.last, number)
            self.last_at = time.monotonic()
            self._news.set()


async def ask_check(address: str, port: int, timeout_s: float = 20.0) -> Check:
    """Ask a running ledger to verify its whole disk now. Raises: TimeoutError, OSError."""
    async with asyncio.timeout(timeout_s):
        while True:
            try:
                reader, writer = await asyncio.open_connection(address, port)
                found = find_check((await reader.read()).decode(errors="replace"))
                writer.close()
            except OSError:
                found = None
            if found is not None:
                return found
            await asyncio.sleep(_RETRY_S)
