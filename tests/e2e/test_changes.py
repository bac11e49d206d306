"""What the lab's guest sees, and what it was told, while its data disk grows in the middle of replication."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from opensdrs.domain.ids import ServerId, VolumeId, new_id
from opensdrs.lab.demo import CACHE
from opensdrs.lab.guest.build import DISK_BYTES, build_image
from opensdrs.sites.model import DiskSpec, Mode, Power, ServerSpec
from tests.contract.qemu_harness import QemuHarness
from tests.contract.site_world import Group, World
from tests.contract.test_site_nics import NICS
from tests.waiting import eventually

BOOT_S, LINE_S = 90.0, 30.0
OLD, NEW = 16 << 20, 64 << 20


class Guest:
    """The lab's guest on a protected data disk."""

    def __init__(self, world: World, group: Group, spec: ServerSpec) -> None:
        self.world, self.group, self.spec = world, group, spec

    async def console(self) -> str:
        return await self.world.site("az1").get_console(self.spec.server_id, 1 << 20)

    async def until_said(self, words: str, timeout_s: float = LINE_S) -> None:
        await eventually(self.console, lambda text: words in text, timeout_s=timeout_s)

    async def last_ack(self) -> int:
        lines = (await self.console()).splitlines()
        return max((int(line[4:]) for line in lines[:-1] if line.startswith("ACK ")), default=0)

    async def until_it_goes_on(self) -> None:
        before = await self.last_ack()
        await eventually(self.last_ack, lambda number: number > before + 5, timeout_s=LINE_S)

    async def extend(self) -> float:
        """Let the data disk grow as the flow does; return how long writes waited, in seconds."""
        site, group = self.world.site("az1"), self.group
        began = time.monotonic()
        await site.suspend(group.group_id, 1, group.pair_ids)
        for name in ("az2", "az1"):
            await self.world.site(name).ensure_volume_size(group.volume(name), NEW)
        await self.world.bring(group, "az1", Mode.MIRROR)
        waited_s = time.monotonic() - began
        await site.ensure_server(self.spec)
        return waited_s


@pytest.fixture
async def guest() -> AsyncIterator[Guest]:
    image: Path = build_image(CACHE)
    async with QemuHarness() as harness:
        world = World(harness)
        settings = harness.settings[harness.site("az1").name]
        settings.images["lab"] = image  # type: ignore[index]
        system: VolumeId = await world.make_volume("az1", DISK_BYTES, "lab")
        group = await world.make_protected(1, OLD)
        disks = (
            DiskSpec(volume_id=system, device="/dev/vda"),
            DiskSpec(volume_id=group.volume("az1"), device="/dev/vdb"),
        )
        spec = ServerSpec(
            server_id=ServerId(new_id()), name="lab", vcpus=1, memory_mib=128, disks=disks, nics=NICS[:1]
        )  # fmt: skip
        await world.site("az1").ensure_server(spec)
        await world.site("az1").ensure_power(spec.server_id, Power.ON)
        guest = Guest(world, group, spec)
        await guest.until_said("ACK 5", BOOT_S)
        yield guest


async def test_disk_when_it_grows_under_the_guest_then_it_sees_the_size_and_loses_nothing(guest: Guest) -> None:
    await guest.until_said(f"DISK vdb {OLD}")
    waited_s = await guest.extend()
    await guest.until_said(f"DISK vdb {NEW}")
    await guest.until_it_goes_on()
    await guest.world.wait_in_sync(guest.group)
    last = await guest.last_ack()
    await guest.world.site("az1").ensure_power(guest.spec.server_id, Power.KILLED)
    first, second = await guest.world.copies(guest.group, length=NEW)
    assert first == second
    missing = [number for number in range(1, last + 1) if not second[number * 512 :].startswith(b"LEDGER %d " % number)]
    assert missing == []
    assert waited_s < 5


async def test_nic_when_it_comes_and_goes_then_the_guest_gets_its_address(guest: Guest) -> None:
    await guest.until_said("ADDRESS eth0")
    site = guest.world.site("az1")
    await site.ensure_server(replace(guest.spec, nics=NICS[:2]))
    await guest.until_said("NIC eth1")
    await guest.until_said(f"ADDRESS eth1 {NICS[1].ip}")
    await site.ensure_server(guest.spec)
    await guest.until_said("NIC-GONE eth1")
