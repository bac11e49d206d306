"""The agents' heartbeat over the relay: is a peer there, which replicas it offers, and a fresh start of connections.

One line of JSON each way. It takes the way that replicated writes take, so what it finds is true of them. A peer that
answers but does not offer a group's replicas is as good as gone for that group.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

import msgspec

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import PairId, SiteName
from opensdrs.sites.qemu.background import end_tasks, start_task
from opensdrs.sites.qemu.relay import Relay
from opensdrs.sites.qemu.settings import QemuSiteSettings

_log = logging.getLogger(__name__)
_SLOWEST_S, _FASTEST_S = 1.0, 0.05
_BEATS_PER_TIMEOUT = 5
_ANSWER_TIMEOUT_S = 2.0
_LINE_LIMIT_BYTES = 1 << 20


class Beat(msgspec.Struct, frozen=True):
    """What one agent asks. `reset`: drop the connections to these replicas, and all that is on its way on them."""

    site: str
    reset: list[PairId] = []


class Answer(msgspec.Struct, frozen=True):
    """What the other agent answers: the replicas that it offers."""

    site: str
    replicas: list[PairId] = []


@dataclass(slots=True)
class _Peer:
    answered_at: float  # of time.monotonic
    replicas: frozenset[PairId] | None = None
    replicas_seen_at: dict[PairId, float] = field(default_factory=dict)


class Heartbeat:
    """Beats towards every peer, and answers theirs."""

    def __init__(
        self,
        settings: QemuSiteSettings,
        relay: Relay,
        reset: Callable[[Collection[PairId]], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._relay = relay
        self._reset = reset
        self._peers: dict[SiteName, _Peer] = {}
        self._interval_s = _SLOWEST_S
        self._tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None
        self._served: set[asyncio.StreamWriter] = set()
        self._hurry = asyncio.Event()
        self._started_at = time.monotonic()
        self._run = secrets.token_hex(4)

    async def start(self) -> None:
        """Answer peers and begin to beat. Until a peer had time to answer it counts as there."""
        path = self._relay.paths.heartbeat
        path.unlink(missing_ok=True)
        self._started_at = time.monotonic()
        self._server = await asyncio.start_unix_server(self._serve, str(path), limit=_LINE_LIMIT_BYTES)
        path.chmod(0o600)
        for name in self._settings.peers:
            self._peers[name] = _Peer(answered_at=time.monotonic())
            self._tasks.append(start_task(self._beat(name), f"heartbeat to {name}"))

    async def close(self) -> None:
        """Stop; the peers will notice."""
        if self._server is not None:
            self._server.close()
        for writer in self._served:
            writer.transport.abort()  # ends its handler by itself: a cancelled one would be reported as a failure
        await end_tasks(*self._tasks)
        self._tasks = []

    def set_timeout(self, smallest_link_timeout_s: float | None) -> None:
        """Beat often enough for the most impatient group."""
        wanted = _SLOWEST_S if smallest_link_timeout_s is None else smallest_link_timeout_s / _BEATS_PER_TIMEOUT
        self._interval_s = min(_SLOWEST_S, max(_FASTEST_S, wanted))
        self._hurry.set()

    def silence_s(self, peer: SiteName, pairs: Collection[PairId]) -> float:
        """Return for how long the peer has not answered, or not offered one of these replicas."""
        return time.monotonic() - self._silent_since(peer, pairs)

    def name_silence(self, peer: SiteName, pairs: Collection[PairId]) -> str:
        """Return a name of the present silence: it stays while the silence lasts, and no other one ever has it."""
        return f"{self._run}-{self._silent_since(peer, pairs):.6f}"

    def _silent_since(self, peer: SiteName, pairs: Collection[PairId]) -> float:
        state = self._peers.get(peer)
        if state is None:
            return float("-inf")
        seen = (state.replicas_seen_at.get(pair, self._started_at) for pair in pairs)
        return min([state.answered_at, *seen])

    def note_offered(self, peer: SiteName, pairs: Collection[PairId]) -> None:
        """Take note that replicas were found in another way, before the next beat can tell."""
        if (state := self._peers.get(peer)) is not None:
            state.answered_at = time.monotonic()
            state.replicas_seen_at.update(dict.fromkeys(pairs, state.answered_at))

    def is_ready_for(self, peer: SiteName, pairs: Collection[PairId], within_s: float) -> bool:
        """Whether the peer offered all of these replicas in an answer not older than `within_s`."""
        state = self._peers.get(peer)
        if state is None or state.replicas is None or time.monotonic() - state.answered_at > within_s:
            return False
        return state.replicas.issuperset(pairs)

    async def ask_reset(self, peer: SiteName, pairs: Collection[PairId]) -> None:
        """Have the peer drop the connections to replicas. Raises: SiteFault UNREACHABLE.

        When it returns, nothing that was sent on an older connection can reach a replica any more.
        """
        await self._ask(peer, list(pairs))

    async def _ask(self, peer: SiteName, reset: list[PairId]) -> Answer:
        site = self._settings.name
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                path = str(self._relay.heartbeat_socket(peer))
                reader, writer = await asyncio.open_unix_connection(path, limit=_LINE_LIMIT_BYTES)
                try:
                    return await _exchange(reader, writer, Beat(site, reset))
                finally:
                    writer.close()
        except (TimeoutError, OSError, EOFError, ValueError, msgspec.DecodeError) as error:
            detail = f"site {peer} does not answer: {error or type(error).__name__}"
            raise SiteFault(site, "heartbeat", Cause.UNREACHABLE, detail) from error

    async def _beat(self, peer: SiteName) -> None:
        while True:
            try:
                await self._beat_on_one_connection(peer)
            except (TimeoutError, OSError, EOFError, ValueError, msgspec.DecodeError) as error:
                _log.debug("heartbeat.missed", extra={"peer": peer, "error": repr(error)})
            await self._pause()

    async def _beat_on_one_connection(self, peer: SiteName) -> None:
        path = str(self._relay.heartbeat_socket(peer))
        reader, writer = await asyncio.open_unix_connection(path, limit=_LINE_LIMIT_BYTES)
        try:
            while True:
                # A beat that got no answer in this time is given up with its connection: a new one is through as soon
                # as the link is, while TCP would wait longer and longer.
                async with asyncio.timeout(max(0.5, self._interval_s)):
                    answer = await _exchange(reader, writer, Beat(self._settings.name))
                self._note(peer, answer)
                await self._pause()
        finally:
            writer.transport.abort()

    def _note(self, peer: SiteName, answer: Answer) -> None:
        now = time.monotonic()
        state = self._peers[peer]
        state.answered_at = now
        state.replicas = frozenset(answer.replicas)
        state.replicas_seen_at.update(dict.fromkeys(answer.replicas, now))

    async def _pause(self) -> None:
        self._hurry.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._interval_s):
                await self._hurry.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._served.add(writer)
        try:
            while line := await reader.readline():
                beat = msgspec.json.decode(line, type=Beat)
                if beat.reset:
                    await self._reset(beat.reset)
                answer = Answer(self._settings.name, self._relay.offered())
                writer.write(msgspec.json.encode(answer) + b"\n")
                await writer.drain()
        except (OSError, ValueError, msgspec.DecodeError, SiteFault) as error:
            _log.debug("heartbeat.served.badly", extra={"error": repr(error)})
        finally:
            self._served.discard(writer)
            writer.close()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, beat: Beat) -> Answer:
    writer.write(msgspec.json.encode(beat) + b"\n")
    line = await reader.readline()
    if not line.endswith(b"\n"):
        raise EOFError("the connection was closed")
    return msgspec.json.decode(line, type=Answer)
