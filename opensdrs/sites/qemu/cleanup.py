"""End everything of a site, with or without an agent: for a clean shutdown, and for tests that cut the power."""

import asyncio
import signal
from pathlib import Path

from opensdrs.sites.qemu import process
from opensdrs.sites.qemu.process import Proc

_GRACE_S = 5.0
_KILL_TIMEOUT_S = 10.0


async def teardown(data_dir: Path) -> None:
    """Stop a site in order: servers, then storage daemons, then the relay. Its agent must not run any more.

    Raises: TimeoutError if a process cannot be ended.
    """
    for batch in _in_order(process.all_processes(data_dir)):
        await asyncio.gather(*(found.terminate(_GRACE_S) for found in batch))


async def kill_everything(data_dir: Path) -> None:
    """Kill every process of a site at once, as a power cut would. Raises: TimeoutError."""
    found = process.all_processes(data_dir)
    for each in found:
        each.send(signal.SIGKILL)
    for each in found:
        if not await each.wait(_KILL_TIMEOUT_S):
            raise TimeoutError(f"process {each.pid} ({each.name}) does not end after SIGKILL")


def _in_order(found: list[Proc]) -> list[list[Proc]]:
    """Servers (whatever is neither a daemon nor the relay), then the volumes' daemons, then the relay."""
    relay = [each for each in found if each.name in ("relay", "eio")]
    daemons = [each for each in found if each.name.startswith("v") and each not in relay]
    servers = [each for each in found if each not in relay and each not in daemons]
    return [servers, daemons, relay]
