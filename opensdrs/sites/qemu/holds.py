"""Holds: several servers paused together for a moment, so that nothing is in flight and their disks form one point.

A hold ends by `release` or by its lease, whatever becomes of the caller. A server is resumed when no hold wants it
paused any more, and resuming is tried until it works: a guest must never stay frozen because of a hold.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from opensdrs.domain.errors.kind import SiteFault
from opensdrs.domain.ids import new_id
from opensdrs.sites.qemu.guest import Guest
from opensdrs.sites.qemu.server import Server

log = logging.getLogger(__name__)

PAUSE_LIMIT_S = 5.0  # pausing waits for the disks' requests, which wait while a link is silent
RESUME_AGAIN_S = 0.5
CLOSE_LIMIT_S = 5.0


@dataclass(slots=True, kw_only=True)
class _Member:
    """A server of a hold, and its guest as it was when the hold began (None: it did not run)."""

    server: Server
    guest: Guest | None
    resumes: int = 0

    @property
    def stayed(self) -> bool:
        """Whether it wrote nothing since it was paused."""
        if self.guest is None:
            return not self.server.has_process
        return self.guest.ended.is_set() or (self.guest.is_paused and self.guest.resumes == self.resumes)


@dataclass(slots=True, kw_only=True)
class _Hold:
    hold_id: str
    members: list[_Member]
    deadline: float  # of the loop's clock
    lease: asyncio.TimerHandle


class Holds:
    """The holds of a site."""

    def __init__(self) -> None:
        self._holds: dict[str, _Hold] = {}
        self._resuming: set[asyncio.Task[None]] = set()

    async def hold(self, servers: Sequence[Server], lease_s: float) -> str:
        """Pause the running ones of the servers; return the hold's id. Raises: SiteFault; none is held then."""
        loop, hold_id = asyncio.get_running_loop(), new_id()
        hold = _Hold(
            hold_id=hold_id,
            members=[_Member(server=server, guest=server.guest) for server in servers],
            deadline=loop.time() + lease_s,
            lease=loop.call_later(lease_s, self._expire, hold_id),
        )
        self._holds[hold_id] = hold
        try:
            await _pause_all(hold, min(lease_s, PAUSE_LIMIT_S))
        except BaseException:
            self._end(hold)
            raise
        return hold_id

    async def release(self, hold_id: str) -> bool:
        """Resume the servers of a hold. False if the lease had ended or one of them had run in between."""
        hold = self._holds.get(hold_id)
        if hold is None:
            return False
        in_time = asyncio.get_running_loop().time() < hold.deadline
        stayed = all(member.stayed for member in hold.members)
        # Resuming is not the caller's to cancel.
        await asyncio.shield(self._end(hold))
        return in_time and stayed

    async def close(self) -> None:
        """Resume everything that is held: no lease runs out without the agent."""
        for hold in list(self._holds.values()):
            self._end(hold)
        if self._resuming:
            _, stuck = await asyncio.wait(self._resuming, timeout=CLOSE_LIMIT_S)
            for task in stuck:  # the next agent finds it marked as held, and resumes it
                task.cancel()

    def thaw(self, server: Server) -> None:
        """Resume a server that a hold of an earlier agent may have left paused."""
        self._start_resuming([server])

    def _expire(self, hold_id: str) -> None:
        log.warning("hold.expired hold_id=%s", hold_id)
        self._end(self._holds[hold_id])

    def _end(self, hold: _Hold) -> asyncio.Task[None]:
        hold.lease.cancel()
        self._holds.pop(hold.hold_id, None)
        for member in hold.members:
            member.server.holds.discard(hold.hold_id)
        return self._start_resuming([member.server for member in hold.members])

    def _start_resuming(self, servers: list[Server]) -> asyncio.Task[None]:
        task = asyncio.create_task(_resume_all(servers), name="resume held servers")
        self._resuming.add(task)
        task.add_done_callback(self._resuming.discard)
        return task


async def _pause_all(hold: _Hold, limit_s: float) -> None:
    for member in hold.members:
        if member.guest is not None:
            # Recorded first: an agent that dies between the pause and the record would leave the guest frozen.
            member.server.holds.add(hold.hold_id)
            member.server.mark_held()
    guests = [member.guest for member in hold.members if member.guest is not None]
    results = await asyncio.gather(*(_pause(guest, limit_s) for guest in guests), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    for member in hold.members:
        if member.guest is not None:
            member.resumes = member.guest.resumes


async def _pause(guest: Guest, limit_s: float) -> None:
    try:
        await guest.pause(limit_s)
    except SiteFault:
        # It ended by itself: nothing of it is in flight, and the others form a point with what it left.
        if guest.proc.is_alive():
            raise


async def _resume_all(servers: list[Server]) -> None:
    await asyncio.gather(*(_resume(server) for server in servers if not server.holds))


async def _resume(server: Server) -> None:
    """Let a server go on that no hold wants paused; tries until it runs, is wanted paused again, or has ended."""
    while (guest := server.guest) is not None and not server.holds:
        try:
            await guest.learn_status()
            if guest.status == "paused":  # one that a disk error or worse has stopped is not ours to resume
                await guest.resume()
            break
        except SiteFault as fault:
            log.warning("hold.resume.again server_id=%s why=%s", server.server_id, fault)
            await guest.proc.wait(RESUME_AGAIN_S)
    if not server.holds:
        server.mark_free()
