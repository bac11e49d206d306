"""The relay between the sites: what each slot does, and which replicas a peer may reach.

What shall be is kept here and replayed whenever HAProxy was started anew; HAProxy itself keeps nothing. The switch of
all pairs of a group is one batch in which every slot stops forwarding before the first one fails its writes, so the
copies at the peer form one crash-consistent point.

Source: dataplane design, section 4.
"""

import asyncio
import logging
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import PairId, SiteName
from opensdrs.sites.qemu import process
from opensdrs.sites.qemu.background import end_tasks, start_task
from opensdrs.sites.qemu.process import Proc
from opensdrs.sites.qemu.relay_config import (
    HEARTBEAT,
    RelayPaths,
    heartbeat_slot,
    public_name,
    render,
    replica_server,
)
from opensdrs.sites.qemu.relay_control import RelayControl
from opensdrs.sites.qemu.settings import QemuSiteSettings, find_binary

_log = logging.getLogger(__name__)
_START_TIMEOUT_S = 5.0
_STOP_TIMEOUT_S = 3.0
_RESTART_PAUSE_S = 0.2  # a relay that cannot start must not eat the machine
_DELETE_TIMEOUT_S = 2.0


class SlotState(StrEnum):
    """What a slot does with the connection of the local daemon."""

    FORWARD = "forward"  # to the peer
    HOLD = "hold"  # closed, new ones refused: writes wait
    EIO = "eio"  # to a server that fails every request: writes are remembered as dirty


class Relay:
    """One site's relay: HAProxy and the EIO server, supervised while the agent lives."""

    def __init__(self, settings: QemuSiteSettings) -> None:
        self.paths = RelayPaths(settings.run_dir)
        self._settings = settings
        self._site = settings.name
        self._control = RelayControl(settings.name, self.paths.control)
        self._slots: dict[str, SlotState] = {}
        self._names: dict[str, str] = {}
        self._replicas: dict[PairId, Path] = {}
        self._sent_before: dict[str, int] = {}
        self._sent_last: dict[str, int] = {}
        self._supervisors: list[asyncio.Task[None]] = []
        self._lock = asyncio.Lock()

    # -- life ----------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the relay, or take over the one that runs; then nothing is forwarded until it is asked for."""
        self._settings.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        eio = process.find("eio", self._settings.run_dir) or await self._start_eio()
        running = process.find("relay", self._settings.run_dir)
        config = render(self._settings)
        if running is not None and (not self.paths.config.exists() or self.paths.config.read_text() != config):
            await running.terminate(_STOP_TIMEOUT_S)
            running = None
        relay = running or await self._start_relay()
        self._supervisors = [
            start_task(self._supervise("eio", eio), "supervise eio"),
            start_task(self._supervise("relay", relay), "supervise relay"),
        ]

    async def close(self) -> None:
        """Stop looking after the relay; it goes on."""
        await end_tasks(*self._supervisors)
        self._supervisors = []

    # -- sending -------------------------------------------------------------------------------------------------------

    def slot_socket(self, slot: str) -> Path:
        """Return where the local daemon finds a slot."""
        return self.paths.slot(slot)

    def heartbeat_socket(self, peer: SiteName) -> Path:
        """Return where this agent finds the agent of a peer."""
        return self.paths.slot(heartbeat_slot(peer))

    async def connect_slot(self, slot: str, peer: SiteName, pair_id: PairId) -> None:
        """Say which replica a slot leads to, once it forwards."""
        async with self._lock:
            self._names[slot] = public_name(peer, replica_server(pair_id))
            await self._sync_map(self.paths.names, {slot: self._names[slot]})

    async def switch(self, states: Mapping[str, SlotState]) -> None:
        """Switch slots, all together: none fails a write while another one still forwards."""
        async with self._lock:
            self._slots.update(states)
            await self._control.tell(_switch_commands(states))

    def slot_state(self, slot: str) -> SlotState:
        """Return what a slot was last told to do."""
        return self._slots.get(slot, SlotState.HOLD)

    async def reconnect(self, slots: list[str]) -> None:
        """Drop the connections of slots; they are made anew. TCP may take long to notice that a link is back."""
        await self._control.tell([f"shutdown sessions server {slot}/dr" for slot in slots])

    async def sent_bytes(self) -> dict[str, int]:
        """Return per slot what went over the wire; a relay that was started anew counts on from what was last seen."""
        counted = await self._control.sent_bytes()
        before = self._sent_before
        self._sent_last = {slot: before.get(slot, 0) + counted.get(slot, 0) for slot in {*before, *counted}}
        return self._sent_last

    # -- receiving -----------------------------------------------------------------------------------------------------

    async def offer(self, pair_id: PairId, socket_path: Path) -> None:
        """Let the peer reach a replica."""
        async with self._lock:
            self._replicas[pair_id] = socket_path
            await self._offer(pair_id, socket_path)

    async def withdraw(self, pair_id: PairId) -> None:
        """Let the peer reach a replica no longer; its connections are closed."""
        async with self._lock:
            if self._replicas.pop(pair_id, None) is not None:
                await self._withdraw(replica_server(pair_id))

    def offered(self) -> list[PairId]:
        """Return the replicas that the peer may reach."""
        return list(self._replicas)

    # ------------------------------------------------------------------------------------------------------------------

    async def _offer(self, pair_id: PairId, socket_path: Path) -> None:
        server = replica_server(pair_id)
        key = public_name(self._site, server)
        if server in await self._control.list_servers("replicas"):
            # Found at a relay that outlived its agent, or left behind by `withdraw`. A volume's socket never changes.
            await self._control.tell([f"enable server replicas/{server}"])
        else:
            await self._control.ask([f"add server replicas/{server} unix@{socket_path} weight 0"])
            await self._control.tell([f"enable server replicas/{server}"])
        await self._sync_map(self.paths.replicas, {key: server})

    async def _withdraw(self, server: str) -> None:
        key = public_name(self._site, server)
        if key in await self._control.read_map(self.paths.replicas):
            await self._control.tell([f"del map {self.paths.replicas} {key}"])
        await self._control.tell(
            [f"set server replicas/{server} state maint", f"shutdown sessions server replicas/{server}"]
        )
        # `del server` is refused while a session is being closed; one that stays is harmless without its map entry.
        await self._control.ask([f"del server replicas/{server}"])

    async def _sync_map(self, path: Path, wanted: Mapping[str, str]) -> None:
        present = await self._control.read_map(path)
        for key, value in wanted.items():
            if key not in present:
                await self._control.tell([f"add map {path} {key} {value}"])
            elif present[key] != value:
                await self._control.tell([f"set map {path} {key} {value}"])

    async def _replay(self) -> None:
        async with self._lock:
            await self._sync_map(self.paths.names, self._names)
            for pair_id, socket_path in self._replicas.items():
                await self._offer(pair_id, socket_path)
            await self._control.tell(_switch_commands(self._slots))

    async def _supervise(self, name: str, running: Proc) -> None:
        while True:
            await running.wait()
            _log.warning("relay.process.ended", extra={"site": self._site, "daemon": name})
            while True:
                try:
                    running = await (self._start_eio() if name == "eio" else self._start_relay())
                    if name == "relay":
                        self._sent_before = self._sent_last
                        await self._replay()
                    break
                except SiteFault as fault:
                    _log.warning("relay.restart.failed", extra={"site": self._site, "detail": str(fault)})
                    await asyncio.sleep(_RESTART_PAUSE_S)

    async def _start_eio(self) -> Proc:
        self.paths.eio.unlink(missing_ok=True)
        nbdkit = find_binary(self._site, "nbdkit")
        # 1T: a mirror's target must not be smaller than its source.
        argv = [nbdkit, "-f", "-U", str(self.paths.eio), "--filter=error", "null", "1T", "error=EIO", "error-rate=100%"]
        started = process.spawn("eio", argv, self._settings.run_dir)
        await self._wait_for(self.paths.eio, started)
        return started

    async def _start_relay(self) -> Proc:
        self.paths.config.write_text(render(self._settings))
        self.paths.config.chmod(0o600)
        self.paths.names.write_text("")
        self.paths.replicas.write_text(f"{public_name(self._site, HEARTBEAT)} {HEARTBEAT}\n")
        self.paths.control.unlink(missing_ok=True)
        argv = [find_binary(self._site, "haproxy"), "-db", "-f", str(self.paths.config)]
        started = process.spawn("relay", argv, self._settings.run_dir)
        await self._wait_for(self.paths.control, started)
        return started

    async def _wait_for(self, socket_path: Path, started: Proc) -> None:
        deadline = asyncio.get_running_loop().time() + _START_TIMEOUT_S
        while not await _listens(socket_path):
            if not started.is_alive() or asyncio.get_running_loop().time() > deadline:
                started.kill()
                words = process.last_words(started.name, started.run_dir)
                raise SiteFault(self._site, f"start {started.name}", Cause.FAILED, words or "it does not listen")
            await asyncio.sleep(0.005)


async def _listens(path: Path) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    writer.close()
    return True


def _switch_commands(states: Mapping[str, SlotState]) -> list[str]:
    """First stop everything that must not go on, then let the rest go."""
    stop, go = [], []
    for slot, state in states.items():
        for server, serving in (("dr", SlotState.FORWARD), ("eio", SlotState.EIO)):
            if state is serving:
                go.append(f"set server {slot}/{server} state ready")
            else:
                stop.append(f"set server {slot}/{server} state maint")
    return [*stop, *go]
