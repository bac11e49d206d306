"""What the Site contract suite says in one word: a group of replicated volumes over a harness' two sites."""

import asyncio
import importlib
import importlib.util
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from opensdrs.domain.errors import Cause, SiteFault
from opensdrs.domain.ids import GroupId, PairId, ServerId, SiteName, VolumeId, new_id
from opensdrs.sites.base import Site
from opensdrs.sites.model import (
    DiskSpec,
    Event,
    EventKind,
    GroupReport,
    GroupSpec,
    Mode,
    PairSpec,
    ServerReport,
    ServerSpec,
    VolumeReport,
    VolumeSpec,
)
from tests.contract.harness import Harness
from tests.contract.memory_harness import MemoryHarness
from tests.contract.remote_harness import RemoteHarness
from tests.waiting import eventually

MIB = 1 << 20
LINK_TIMEOUT_S = 0.3
PATIENCE_S = 0.25  # how long a write that must not be acknowledged is watched
HARNESSES = ["memory", "remote-memory"]
if importlib.util.find_spec("tests.contract.qemu_harness") is not None:
    HARNESSES += ["qemu", "remote-qemu"]


@dataclass(frozen=True, slots=True)
class Group:
    """One protection group: the volume ids are the same length at both sites, by position."""

    group_id: GroupId
    pair_ids: tuple[PairId, ...]
    volume_ids: dict[str, tuple[VolumeId, ...]]

    def volume(self, site: str, position: int = 0) -> VolumeId:
        return self.volume_ids[site][position]


@dataclass(slots=True)
class World:
    """A harness and shorthand for what tests do with it."""

    harness: Harness
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def site(self, name: str) -> Site:
        return self.harness.site(name)

    # -- volumes and servers ---------------------------------------------------------------------------------------

    async def make_volume(self, site: str = "az1", size_bytes: int = MIB, image: str | None = None) -> VolumeId:
        volume_id = VolumeId(new_id())
        await self.site(site).ensure_volume(VolumeSpec(volume_id=volume_id, size_bytes=size_bytes, image=image))
        return volume_id

    async def make_server(self, *volume_ids: VolumeId, site: str = "az1") -> ServerId:
        server_id = ServerId(new_id())
        await self.site(site).ensure_server(server_spec(server_id, *volume_ids))
        return server_id

    async def write(self, volume_id: VolumeId, offset: int, data: bytes, *, site: str = "az1") -> None:
        await asyncio.wait_for(self.harness.write(site, volume_id, offset, data), timeout=10)

    async def read(self, volume_id: VolumeId, offset: int = 0, length: int = MIB, *, site: str = "az1") -> bytes:
        return await self.harness.read_copy(site, volume_id, offset, length)

    def start_write(self, volume_id: VolumeId, offset: int, data: bytes, *, site: str = "az1") -> asyncio.Task[None]:
        """Begin a write that may have to wait; the world ends it with the test."""
        task = asyncio.create_task(self.harness.write(site, volume_id, offset, data))
        self.tasks.append(task)
        return task

    async def server_in(self, site: str, server_id: ServerId) -> ServerReport:
        return await self.site(site).get_server(server_id)

    async def volume_in(self, site: str, volume_id: VolumeId) -> VolumeReport:
        return await self.site(site).get_volume(volume_id)

    # -- groups ----------------------------------------------------------------------------------------------------

    async def make_group(self, count: int = 1, size_bytes: int = MIB) -> Group:
        """Create the volumes of a group at both sites, in no group yet."""
        volume_ids = {
            site: tuple([await self.make_volume(site, size_bytes) for _ in range(count)]) for site in ("az1", "az2")
        }
        pair_ids = tuple(PairId(new_id()) for _ in range(count))
        return Group(GroupId(new_id()), pair_ids, volume_ids)

    async def bring(
        self,
        group: Group,
        site: str,
        mode: Mode,
        epoch: int = 1,
        *,
        identical: bool = False,
        positions: tuple[int, ...] | None = None,
    ) -> GroupReport:
        chosen = range(len(group.pair_ids)) if positions is None else positions
        spec = GroupSpec(
            group_id=group.group_id,
            epoch=epoch,
            mode=mode,
            peer=SiteName("az2" if site == "az1" else "az1"),
            pairs=tuple(
                PairSpec(pair_id=group.pair_ids[i], volume_id=group.volume(site, i), identical=identical)
                for i in chosen
            ),
            link_timeout_s=LINK_TIMEOUT_S,
        )
        return await self.site(site).ensure_group(spec)

    async def make_protected(self, count: int = 1, size_bytes: int = MIB) -> Group:
        """Return a group that az1 mirrors to az2 in epoch 1, in sync."""
        group = await self.make_group(count, size_bytes)
        await self.bring(group, "az2", Mode.REPLICA)
        await self.bring(group, "az1", Mode.MIRROR)
        await self.wait_in_sync(group)
        return group

    async def report(self, group: Group, site: str = "az1") -> GroupReport:
        return await self.site(site).get_group(group.group_id)

    async def wait_in_sync(self, group: Group, site: str = "az1") -> GroupReport:
        return await eventually(lambda: self.report(group, site), lambda report: report.is_in_sync)

    async def copies(self, group: Group, position: int = 0, length: int = MIB) -> tuple[bytes, bytes]:
        """Return what both sites hold of one pair."""
        first = await self.read(group.volume("az1", position), 0, length, site="az1")
        second = await self.read(group.volume("az2", position), 0, length, site="az2")
        return first, second

    async def degrade(self, group: Group, epoch: int = 1) -> GroupReport:
        """Lose the link and let writes go on, as the controller does."""
        await self.harness.cut_link()
        await self.wait_event("az1", EventKind.LINK_LOST, group)
        return await self.let_go(group, epoch)

    async def let_go(self, group: Group, epoch: int = 1) -> GroupReport:
        """Answer the present loss of the link, as the controller does after it recorded it."""
        report = await eventually(lambda: self.report(group), lambda report: report.link_up is False)
        return await self.site("az1").degrade(group.group_id, epoch, report.incident)

    async def events(self, site: str) -> tuple[Event, ...]:
        return (await self.site(site).watch("", 0, 0.0)).events

    async def wait_event(self, site: str, kind: EventKind, group: Group) -> None:
        def accept(events: tuple[Event, ...]) -> bool:
            return any(event.kind is kind and event.group_id == group.group_id for event in events)

        await eventually(lambda: self.events(site), accept)


def server_spec(server_id: ServerId, *volume_ids: VolumeId) -> ServerSpec:
    """Return the smallest server with these disks."""
    disks = tuple(
        DiskSpec(volume_id=volume_id, device=f"/dev/vd{'abcdefgh'[position]}")
        for position, volume_id in enumerate(volume_ids)
    )
    return ServerSpec(server_id=server_id, name="contract", vcpus=1, memory_mib=64, disks=disks)


def pattern(length: int, seed: int = 1) -> bytes:
    """Return bytes that look like nothing else, the same for the same seed."""
    return random.Random(seed).randbytes(length)


@contextmanager
def fault(cause: Cause) -> Iterator[None]:
    """Expect the block to raise a SiteFault of this cause."""
    with pytest.raises(SiteFault) as caught:
        yield
    assert caught.value.cause is cause, caught.value


@pytest.fixture(params=HARNESSES)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """Two fresh sites of every kind."""
    async with AsyncExitStack() as stack:
        harness: Harness
        if request.param.endswith("memory"):
            harness = await stack.enter_async_context(MemoryHarness())
        else:
            module = importlib.import_module("tests.contract.qemu_harness")
            harness = await stack.enter_async_context(module.QemuHarness(tmp_path))
        if request.param.startswith("remote"):
            harness = await stack.enter_async_context(RemoteHarness(harness))
        world = World(harness)
        yield world
        for task in world.tasks:
            task.cancel()
        await asyncio.gather(*world.tasks, return_exceptions=True)
