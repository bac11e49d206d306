"""Servers of the qemu driver: power, specification and changes while they run."""

import asyncio
import os
import signal
import socket
import time
from dataclasses import replace
from typing import Any

import pytest

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import ServerId, VolumeId
from opensdrs.sites.model import DiskSpec, EventKind, Mode, Power, ServerState
from opensdrs.sites.qemu import accel
from tests.contract.server_bench import DATA, ROOT, SERVER, Bench, bench, free_port, is_listening, nic_with, spec_of
from tests.contract.tiny_guest import boot_sector

__all__ = ["bench"]  # the fixture

# -- power -------------------------------------------------------------------------------------------------------------


async def test_power_when_on_then_runs_and_its_console_speaks(bench: Bench) -> None:
    before = time.time()
    report = await bench.boot()
    assert report.state is ServerState.RUNNING
    assert before <= (report.started_at or 0) <= time.time()
    assert await bench.servers.ensure_power(SERVER, Power.ON) == report
    assert bench.servers.users_of(ROOT) == [SERVER] and bench.servers.users_of(DATA) == []
    assert bench.servers.reports() == (report,)


@pytest.mark.parametrize("mode", [Mode.REPLICA, Mode.FENCED])
async def test_power_when_a_disk_is_not_open_then_conflict(bench: Bench, mode: Mode) -> None:
    bench.volumes.modes[ROOT] = mode
    with pytest.raises(SiteFault, match=f"mode {mode}") as caught:
        await bench.boot()
    assert caught.value.cause is Cause.CONFLICT
    assert not bench.processes()


async def test_power_when_killed_then_gone_and_nothing_is_reported(bench: Bench) -> None:
    port = free_port()
    await bench.boot(nics=(nic_with(port),))
    assert await is_listening(port)
    report = await bench.servers.ensure_power(SERVER, Power.KILLED)
    assert (report.state, report.started_at, report.detail) == (ServerState.STOPPED, None, "")
    assert not await is_listening(port) and not bench.processes()
    assert await bench.event_kinds() == []


async def test_power_when_off_then_the_guest_shuts_down(bench: Bench) -> None:
    await bench.boot()
    await bench.until_said("w")
    report = await bench.servers.ensure_power(SERVER, Power.OFF)
    assert report.state is ServerState.STOPPED
    assert "powering off" in await bench.servers.get_console(SERVER, 1000)
    assert await bench.event_kinds() == []


async def test_power_when_the_guest_is_deaf_then_the_plug_is_pulled(bench: Bench) -> None:
    deaf = VolumeId("volume-deaf")
    await bench.volumes.add(deaf, accel.BOOT_SECTOR)
    await bench.servers.ensure_server(replace(spec_of(), disks=(DiskSpec(volume_id=deaf, device="/dev/vda"),)))
    await bench.servers.ensure_power(SERVER, Power.ON)
    before = time.monotonic()
    assert (await bench.servers.ensure_power(SERVER, Power.OFF)).state is ServerState.STOPPED
    assert 9 < time.monotonic() - before < 13


async def test_power_when_killed_while_shutting_down_then_at_once(bench: Bench) -> None:
    deaf = VolumeId("volume-deaf")
    await bench.volumes.add(deaf, accel.BOOT_SECTOR)
    await bench.servers.ensure_server(replace(spec_of(), disks=(DiskSpec(volume_id=deaf, device="/dev/vda"),)))
    await bench.servers.ensure_power(SERVER, Power.ON)
    shutting_down = asyncio.create_task(bench.servers.ensure_power(SERVER, Power.OFF))
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        await bench.servers.ensure_power(SERVER, Power.KILLED)
        await shutting_down


async def test_guest_when_it_powers_itself_off_then_stopped_is_reported(bench: Bench) -> None:
    short = VolumeId("volume-short")
    await bench.volumes.add(short, boot_sector(powers_itself_off=True))
    await bench.boot(disks=(DiskSpec(volume_id=short, device="/dev/vda"),))
    report = await bench.until_state(ServerState.STOPPED)
    assert "guest-shutdown" in report.detail
    assert await bench.event_kinds() == [EventKind.SERVER_STOPPED]


async def test_process_when_it_is_killed_from_outside_then_stopped_is_reported_and_it_can_start(bench: Bench) -> None:
    await bench.boot()
    os.kill(bench.processes()[0].pid, signal.SIGKILL)
    await bench.until_state(ServerState.STOPPED)
    assert await bench.event_kinds() == [EventKind.SERVER_STOPPED]
    assert (await bench.servers.ensure_power(SERVER, Power.ON)).state is ServerState.RUNNING


async def test_power_when_the_storage_daemon_is_away_then_fault_in_words(bench: Bench) -> None:
    bench.volumes.signal(ROOT, signal.SIGKILL)
    with pytest.raises(SiteFault, match="the storage daemon of volume volume-root of /dev/vda does not answer"):
        await bench.boot()
    assert (await bench.servers.get_server(SERVER)).state is ServerState.STOPPED
    assert not bench.processes() and bench.servers.users_of(ROOT) == []


async def test_power_when_another_server_has_the_volume_then_conflict(bench: Bench) -> None:
    other = ServerId("other")
    await bench.boot()
    await bench.servers.ensure_server(spec_of(other))
    with pytest.raises(SiteFault, match=f"in use by server {SERVER}"):
        await bench.servers.ensure_power(other, Power.ON)


async def test_kill_users_when_called_then_only_they_are_killed(bench: Bench) -> None:
    await bench.boot()
    await bench.servers.kill_users_of([DATA])
    assert len(bench.processes()) == 1
    await bench.servers.kill_users_of([ROOT, DATA])
    assert not bench.processes()
    assert bench.servers.reports()[0].state is ServerState.STOPPED


# -- specification -----------------------------------------------------------------------------------------------------


async def test_server_when_absent_then_unknown_and_refused_while_it_runs(bench: Bench) -> None:
    await bench.boot()
    with pytest.raises(SiteFault) as caught:
        await bench.servers.ensure_server_absent(SERVER)
    assert caught.value.cause is Cause.CONFLICT
    await bench.servers.ensure_power(SERVER, Power.KILLED)
    await bench.servers.ensure_server_absent(SERVER)
    await bench.servers.ensure_server_absent(SERVER)
    with pytest.raises(SiteFault) as caught:
        await bench.servers.get_server(SERVER)
    assert caught.value.cause is Cause.NOT_FOUND
    assert not list((bench.settings.data_dir / "servers").iterdir())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"disks": (DiskSpec(volume_id=ROOT, device="/dev/sda"),)}, "/dev/sda"),
        ({"nics": (replace(nic_with(), gateway="10.0.0.1"),)}, "gateway"),
        ({"nics": (replace(nic_with(), mac="x,id=y"),)}, "MAC"),
        ({"nics": (replace(nic_with(), cidr="192.168.7.20/30", gateway="192.168.7.21", ip="192.168.7.22"),)}, "/29"),
    ],
)
async def test_server_when_it_can_never_start_then_refused(bench: Bench, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SiteFault, match=words):
        await bench.boot(**changes)


async def test_disks_when_changed_while_it_runs_then_plugged_and_unplugged(bench: Bench) -> None:
    await bench.boot()
    await bench.until_said("w")
    data = DiskSpec(volume_id=DATA, device="/dev/vdb")
    both = replace(spec_of(), disks=(*spec_of().disks, data))
    for _ in range(2):
        await bench.servers.ensure_server(both)
        assert bench.servers.users_of(DATA) == [SERVER]
    for _ in range(2):
        await bench.servers.ensure_server(spec_of())
        assert bench.servers.users_of(DATA) == []
    await bench.servers.ensure_server(replace(both, disks=(*spec_of().disks, replace(data, device="/dev/vdp"))))
    with pytest.raises(SiteFault, match="/dev/vda cannot be detached") as caught:
        await bench.servers.ensure_server(replace(spec_of(), disks=(data,)))
    assert caught.value.cause is Cause.CONFLICT
    bench.volumes.modes[DATA] = Mode.REPLICA
    with pytest.raises(SiteFault, match="mode replica"):
        await bench.servers.ensure_server(both)


async def test_forward_when_the_port_is_in_use_then_conflict_and_nothing_starts(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SiteFault, match=f"127.0.0.1:{port}") as caught:
            await bench.boot(nics=(nic_with(port),))
    assert caught.value.cause is Cause.CONFLICT
    assert not bench.processes()
    assert (await bench.servers.ensure_power(SERVER, Power.ON)).state is ServerState.RUNNING


async def test_forwards_when_changed_while_it_runs_then_old_ones_end_and_new_ones_begin(bench: Bench) -> None:
    first, second = free_port(), free_port()
    await bench.boot(nics=(nic_with(first),))
    await bench.servers.ensure_server(replace(spec_of(), nics=(nic_with(second),)))
    assert not await is_listening(first) and await is_listening(second)
    await bench.servers.ensure_server(replace(spec_of(), nics=(nic_with(first, second, guest_port=80),)))
    assert await is_listening(first) and await is_listening(second)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SiteFault, match=f"127.0.0.1:{port}"):
            await bench.servers.ensure_server(replace(spec_of(), nics=(nic_with(port),)))
    assert await is_listening(first)


async def test_forwards_when_isolated_then_none(bench: Bench) -> None:
    port = free_port()
    await bench.boot(nics=(nic_with(port),), isolated=True)
    await bench.servers.ensure_server(replace(spec_of(), nics=(nic_with(port),)))  # takes effect at the next start
    assert not await is_listening(port)
