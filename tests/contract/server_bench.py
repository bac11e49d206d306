"""A site's servers on a bench: real QEMU processes, a tiny guest and real exports, and what a test does to them."""

import asyncio
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest_asyncio

from opensdrs.domain.ids import PortId, ServerId, SiteName, VolumeId
from opensdrs.sites.events import EventLog
from opensdrs.sites.model import DiskSpec, EventKind, Forward, NicSpec, Power, ServerReport, ServerSpec, ServerState
from opensdrs.sites.qemu import process
from opensdrs.sites.qemu.servers import Servers
from opensdrs.sites.qemu.settings import PeerAddress, QemuSiteSettings, RelayCertificates
from tests.contract.tiny_guest import ExportedVolumes, boot_sector
from tests.waiting import eventually

SERVER = ServerId("5f0c7b1e-0000-4000-8000-000000000001")
ROOT, DATA = VolumeId("volume-root"), VolumeId("volume-data")


def settings_in(data_dir: Path) -> QemuSiteSettings:
    return QemuSiteSettings(
        name=SiteName("az1"),
        data_dir=data_dir,
        relay_listen=PeerAddress("127.0.0.1", 0),
        certificates=RelayCertificates(data_dir / "ca", data_dir / "bundle"),
    )


class Bench:
    """A site's servers and what a test does to them."""

    def __init__(self, folder: Path) -> None:
        self.settings = settings_in(folder)
        self.volumes = ExportedVolumes(folder)
        self.events = EventLog()
        self.servers = Servers(self.settings, self.volumes, self.events)

    async def restart_agent(self) -> tuple[ServerId, ...]:
        await self.servers.close()
        self.events = EventLog()
        self.servers = Servers(self.settings, self.volumes, self.events)
        return await self.servers.start()

    async def boot(self, *, server_id: ServerId = SERVER, **changes: Any) -> ServerReport:
        await self.servers.ensure_server(replace(spec_of(server_id), **changes))
        report = await self.servers.ensure_power(server_id, Power.ON)
        await self.until_said("tiny guest up")
        return report

    async def until_said(self, words: str) -> str:
        return await eventually(lambda: self.servers.get_console(SERVER, 1 << 20), lambda text: words in text)

    async def until_state(self, state: ServerState) -> ServerReport:
        return await eventually(lambda: self.servers.get_server(SERVER), lambda report: report.state is state)

    async def said(self) -> int:
        return len(await self.servers.get_console(SERVER, 1 << 20))

    async def has_fallen_silent(self) -> bool:
        before = await self.said()
        await asyncio.sleep(0.3)  # five ticks of the guest: the absence of something can only be waited for
        return await self.said() == before

    async def until_it_goes_on(self) -> None:
        before = await self.said()
        await eventually(self.said, lambda length: length > before + 2)

    async def event_kinds(self) -> list[EventKind]:
        return [event.kind for event in (await self.events.watch("", 0, 0)).events]

    def processes(self) -> list[process.Proc]:
        return process.all_processes(self.settings.run_dir)


def spec_of(server_id: ServerId = SERVER) -> ServerSpec:
    disks = (DiskSpec(volume_id=ROOT, device="/dev/vda"),)
    return ServerSpec(server_id=server_id, name="tiny", vcpus=1, memory_mib=32, disks=disks)


def nic_with(*ports: int, guest_port: int = 22) -> NicSpec:
    forwards = tuple(Forward(address="127.0.0.1", port=port, guest_port=guest_port) for port in ports)
    address = {"ip": "192.168.7.20", "cidr": "192.168.7.0/24", "gateway": "192.168.7.1"}
    return NicSpec(port_id=PortId("port-1"), mac="fa:16:3e:00:00:01", forwards=forwards, **address)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def is_listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    folder = Path(tempfile.mkdtemp(prefix="opensdrs-"))  # short: unix sockets lie below it
    bench = Bench(folder)
    await bench.volumes.add(ROOT, boot_sector())
    await bench.volumes.add(DATA)
    try:
        assert await bench.servers.start() == ()
        yield bench
    finally:
        await bench.servers.close()
        for proc in bench.processes():
            proc.kill()
            await proc.wait(5)
        await bench.volumes.close()
        shutil.rmtree(folder)
