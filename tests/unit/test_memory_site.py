"""What the emulated site pretends beyond the contract: its pace, its capacity, and its paused guests."""

import asyncio

import pytest

from opensdrs.domain.errors import Cause, SiteFault
from opensdrs.domain.ids import GroupId, PairId, ServerId, SiteName, VolumeId
from opensdrs.sites.memory import MemorySite
from opensdrs.sites.memory_disk import BLOCK_BYTES, Blocks, MemoryDisk
from opensdrs.sites.memory_group import MemoryPace
from opensdrs.sites.memory_link import MemoryLink
from opensdrs.sites.model import (
    DiskSpec,
    GroupSpec,
    Mode,
    PairSpec,
    PairState,
    Power,
    ServerSpec,
    ServerState,
    SnapshotSpec,
    VolumeSpec,
)
from tests.waiting import eventually

VOLUME, SERVER, GROUP, PAIR = VolumeId("v"), ServerId("s"), GroupId("g"), PairId("p")
MIB = 1 << 20


def volume(volume_id: VolumeId = VOLUME, size_bytes: int = MIB) -> VolumeSpec:
    return VolumeSpec(volume_id=volume_id, size_bytes=size_bytes)


def group(mode: Mode, peer: str, *, link_timeout_s: float = 5.0) -> GroupSpec:
    pairs = (PairSpec(pair_id=PAIR, volume_id=VOLUME),)
    return GroupSpec(
        group_id=GROUP, epoch=1, mode=mode, peer=SiteName(peer), pairs=pairs, link_timeout_s=link_timeout_s
    )


async def make_pair(pace: MemoryPace, size_bytes: int = MIB) -> tuple[MemorySite, MemorySite]:
    link = MemoryLink()
    sites = MemorySite("az1", link, pace=pace), MemorySite("az2", link, pace=pace)
    for site in sites:
        await site.ensure_volume(volume(size_bytes=size_bytes))
    return sites


@pytest.mark.parametrize(("offset", "data"), [(0, b"a"), (4095, b"ab"), (4096, b"x" * 8192), (10, b"y" * 10_000)])
def test_blocks_when_written_then_read_the_same_and_zeros_take_nothing(offset: int, data: bytes) -> None:
    blocks = Blocks(5 * BLOCK_BYTES)
    blocks.write(offset, data)
    expected = bytearray(5 * BLOCK_BYTES)
    expected[offset : offset + len(data)] = data
    assert blocks.read(0, 5 * BLOCK_BYTES) == expected
    assert blocks.read(offset, len(data)) == data
    blocks.write(offset, bytes(len(data)))
    assert blocks.allocated_bytes == 0


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, BLOCK_BYTES + 1), (BLOCK_BYTES, 1)])
def test_blocks_when_outside_then_oserror(offset: int, length: int) -> None:
    with pytest.raises(OSError, match="of a volume of"):
        Blocks(BLOCK_BYTES).write(offset, bytes(length))


async def test_capacity_when_promised_already_then_no_space() -> None:
    site = MemorySite("az1", capacity_bytes=3 * MIB)
    await site.ensure_volume(volume(VolumeId("a"), 2 * MIB))
    for attempt in (
        site.ensure_volume(volume(VolumeId("b"), 2 * MIB)),
        site.ensure_snapshot(SnapshotSpec(volume_id=VolumeId("c"), source_volume_id=VolumeId("a"))),
    ):
        with pytest.raises(SiteFault) as caught:
            await attempt
        assert caught.value.cause is Cause.NO_SPACE
    assert (await site.describe()).free_bytes == MIB


async def test_copy_when_slow_then_shows_progress_and_lets_writes_through() -> None:
    size = 8 * MIB
    first, second = await make_pair(MemoryPace(copy_bytes_per_s=20 * MIB), size)
    await first.write(VOLUME, 0, b"x" * size)
    await second.ensure_group(group(Mode.REPLICA, "az1"))
    await first.ensure_group(group(Mode.MIRROR, "az2"))
    seen: list[int] = []
    while not (report := await first.get_group(GROUP)).is_in_sync:
        seen.append(report.pairs[0].copied_bytes)
        await first.write(VOLUME, size - 5, b"write")
        assert await second.read_copy(VOLUME, size - 5, 5) == b"write"
        await asyncio.sleep(0.005)
    assert len(set(seen)) > 5
    assert seen == sorted(seen)
    await first.close()
    await second.close()


async def test_link_when_far_then_each_write_takes_its_time_and_the_mirror_stays_in_sync() -> None:
    first, second = await make_pair(MemoryPace(link_rtt_s=0.02))
    await second.ensure_group(group(Mode.REPLICA, "az1"))
    await first.ensure_group(group(Mode.MIRROR, "az2"))
    await eventually(lambda: first.get_group(GROUP), lambda report: report.is_in_sync)
    write = asyncio.create_task(first.write(VOLUME, 0, b"far"))
    await asyncio.sleep(0)
    assert not write.done()
    assert (await first.get_group(GROUP)).is_in_sync  # nobody was told that the write is done
    await write
    assert await second.read_copy(VOLUME, 0, 3) == b"far"
    await first.close()
    await second.close()


async def test_write_when_its_writer_vanishes_then_the_copies_end_equal() -> None:
    first, second = await make_pair(MemoryPace(link_rtt_s=5.0))
    await second.ensure_group(group(Mode.REPLICA, "az1"))
    await first.ensure_group(group(Mode.MIRROR, "az2"))
    await eventually(lambda: first.get_group(GROUP), lambda report: report.is_in_sync)
    write = asyncio.create_task(first.write(VOLUME, 0, b"orphan"))
    await asyncio.sleep(0)
    write.cancel()
    await asyncio.wait((write,))
    await eventually(lambda: second.read_copy(VOLUME, 0, 6), lambda data: data == b"orphan")
    await eventually(lambda: first.get_group(GROUP), lambda report: report.is_in_sync)
    await first.close()
    await second.close()


async def test_hold_when_a_guest_is_paused_then_its_writes_wait() -> None:
    site = MemorySite("az1")
    await site.ensure_volume(volume())
    disks = (DiskSpec(volume_id=VOLUME, device="/dev/vda"),)
    await site.ensure_server(ServerSpec(server_id=SERVER, name="s", vcpus=1, memory_mib=64, disks=disks))
    assert (await site.ensure_power(SERVER, Power.ON)).state is ServerState.RUNNING
    hold_id = await site.hold_writes((SERVER,), 30.0)
    write = asyncio.create_task(site.write(VOLUME, 0, b"paused"))
    await asyncio.sleep(0)
    assert not write.done()
    assert await site.read_copy(VOLUME, 0, 6) == bytes(6)
    assert await site.release_writes(hold_id)
    await write
    assert await site.read_copy(VOLUME, 0, 6) == b"paused"
    await site.close()


async def test_site_when_down_then_every_verb_is_unreachable_and_its_disk_goes_on_elsewhere() -> None:
    disk = MemoryDisk()
    site = MemorySite("az1", disk=disk)
    await site.ensure_volume(volume())
    await site.ensure_group(group(Mode.FENCED, "az2"))
    await site.write(await _free_volume(site), 0, b"kept")
    site.crash()
    with pytest.raises(SiteFault) as caught:
        await site.get_group(GROUP)
    assert caught.value.cause is Cause.UNREACHABLE
    again = MemorySite("az1", disk=disk)
    assert (await again.get_group(GROUP)).pairs[0].state is PairState.OFF
    assert await again.read_copy(VolumeId("free"), 0, 4) == b"kept"
    await again.close()


async def _free_volume(site: MemorySite) -> VolumeId:
    return (await site.ensure_volume(volume(VolumeId("free")))).volume_id
