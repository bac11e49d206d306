"""Servers of the qemu driver in trouble and at rest: disk errors, holds, agents that come and go, the console."""

import asyncio
import signal
import sys
import time
from pathlib import Path

import pytest

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import VolumeId
from opensdrs.sites.model import DiskSpec, EventKind, Power, ServerState
from opensdrs.sites.qemu import accel, console
from opensdrs.sites.qemu.settings import find_binary
from tests.contract.server_bench import ROOT, SERVER, Bench, bench, spec_of
from tests.contract.tiny_guest import boot_sector
from tests.waiting import eventually

__all__ = ["bench"]  # the fixture

# -- disk errors and holds ---------------------------------------------------------------------------------------------


async def test_disk_when_a_write_fails_then_paused_until_told_to_run(bench: Bench) -> None:
    bad = VolumeId("volume-bad")
    await bench.volumes.add(bad, boot_sector(), failing_writes=1)
    await bench.boot(disks=(DiskSpec(volume_id=bad, device="/dev/vda"),))
    report = await bench.until_state(ServerState.PAUSED)
    assert "/dev/vda" in report.detail and "write failed" in report.detail
    assert await bench.event_kinds() == [EventKind.SERVER_PAUSED]
    assert await bench.servers.release_writes(await bench.servers.hold_writes((SERVER,), 5))
    await bench.restart_agent()
    assert (await bench.servers.get_server(SERVER)).state is ServerState.PAUSED
    await bench.servers.ensure_power(SERVER, Power.ON)
    assert "E" not in await bench.until_said("www")  # the guest never saw the error
    assert (await bench.servers.get_server(SERVER)).state is ServerState.RUNNING


async def test_hold_when_released_in_time_then_nothing_ran(bench: Bench) -> None:
    await bench.boot()
    await bench.until_said("w")
    hold = await bench.servers.hold_writes((SERVER,), 20)
    assert (await bench.servers.get_server(SERVER)).state is ServerState.PAUSED
    assert await bench.has_fallen_silent()
    assert await bench.servers.release_writes(hold)
    await bench.until_it_goes_on()
    assert not await bench.servers.release_writes(hold)


async def test_hold_when_the_lease_ends_then_goes_on_and_the_hold_is_void(bench: Bench) -> None:
    await bench.boot()
    hold = await bench.servers.hold_writes((SERVER,), 0.2)
    await bench.until_state(ServerState.RUNNING)
    assert not await bench.servers.release_writes(hold)


async def test_hold_when_another_one_lasts_then_still_paused(bench: Bench) -> None:
    await bench.boot()
    one, two = [await bench.servers.hold_writes((SERVER,), 20) for _ in range(2)]
    assert await bench.servers.release_writes(one)
    assert (await bench.servers.get_server(SERVER)).state is ServerState.PAUSED
    assert await bench.servers.release_writes(two)
    assert (await bench.servers.get_server(SERVER)).state is ServerState.RUNNING


async def test_hold_when_a_stopped_server_is_started_then_void(bench: Bench) -> None:
    await bench.servers.ensure_server(spec_of())
    hold = await bench.servers.hold_writes((SERVER,), 20)
    await bench.servers.ensure_power(SERVER, Power.ON)
    assert not await bench.servers.release_writes(hold)


async def test_hold_when_a_disk_does_not_answer_then_fault_and_the_guest_goes_on_later(bench: Bench) -> None:
    await bench.boot()
    await bench.until_said("w")
    bench.volumes.signal(ROOT, signal.SIGSTOP)
    assert await eventually(bench.has_fallen_silent, bool)
    with pytest.raises(SiteFault) as caught:
        await bench.servers.hold_writes((SERVER,), 0.5)
    assert caught.value.cause is Cause.TIMEOUT
    bench.volumes.signal(ROOT, signal.SIGCONT)
    await bench.until_it_goes_on()
    assert (await bench.until_state(ServerState.RUNNING)).detail == ""


# -- the agent comes and goes ------------------------------------------------------------------------------------------


async def test_agent_when_restarted_then_the_guest_did_not_notice(bench: Bench) -> None:
    report = await bench.boot()
    assert await bench.restart_agent() == ()
    assert await bench.servers.get_server(SERVER) == report
    assert bench.servers.users_of(ROOT) == [SERVER]
    await bench.until_it_goes_on()
    assert (await bench.servers.ensure_power(SERVER, Power.OFF)).state is ServerState.STOPPED


async def test_agent_when_a_server_ended_meanwhile_then_it_is_missing(bench: Bench) -> None:
    await bench.boot()
    await bench.servers.close()
    for proc in bench.processes():
        proc.kill()
        await proc.wait(5)
    assert await bench.restart_agent() == (SERVER,)
    assert (await bench.servers.get_server(SERVER)).state is ServerState.STOPPED
    assert await bench.event_kinds() == [EventKind.SERVER_STOPPED]
    assert bench.servers.users_of(ROOT) == []


AGENT_THAT_HOLDS = f"""
import asyncio, sys
from pathlib import Path
from tests.contract.server_bench import Bench
async def main():
    bench = Bench(Path(sys.argv[1]))
    await bench.servers.start()
    await bench.servers.hold_writes(("{SERVER}",), 600)
    print("held", flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


async def test_agent_when_killed_during_a_hold_then_the_next_one_resumes_the_guest(bench: Bench) -> None:
    await bench.boot()
    await bench.servers.close()
    command = (sys.executable, "-c", AGENT_THAT_HOLDS, str(bench.settings.data_dir))
    agent = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert agent.stdout is not None
    assert await agent.stdout.readline() == b"held\n"
    agent.kill()
    await agent.wait()
    await bench.restart_agent()
    await bench.until_it_goes_on()
    assert (await bench.until_state(ServerState.RUNNING)).detail == ""


# -- console and accelerator -------------------------------------------------------------------------------------------


async def test_console_when_started_twice_then_shows_both_runs(bench: Bench) -> None:
    for _ in range(2):
        await bench.boot()
        await bench.until_said("w")
        await bench.servers.ensure_power(SERVER, Power.OFF)
    text = await bench.servers.get_console(SERVER, 1 << 20)
    assert text.count("powering off") == 2
    assert await bench.servers.get_console(SERVER, 5) == text[-5:]
    assert await bench.servers.get_console(SERVER, 0) == ""


def test_console_when_it_has_grown_large_then_rotated_and_still_read(tmp_path: Path) -> None:
    path = tmp_path / "console"
    path.write_bytes(b"x" * (console.ROTATE_ABOVE_BYTES + 1))
    console.rotate(path)
    path.write_bytes("\u00e9nd".encode()[1:])
    assert path.stat().st_mode & 0o777 == 0o600
    assert console.read_tail(path, 5) == "xx\ufffdnd"


def test_console_when_a_running_server_talks_too_much_then_cut(tmp_path: Path) -> None:
    path = tmp_path / "console"
    path.write_bytes(b"x" * console.TRIM_ABOVE_BYTES)
    with path.open("ab") as guest:
        guest.write(b"y")
        guest.flush()
        console.trim(path)
        guest.write(b"z")
    assert path.stat().st_size == 1
    assert console.read_tail(path, 3) == "xyz"


async def test_accelerator_when_chosen_then_a_guest_has_booted_under_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(accel.OVERRIDE_VARIABLE, raising=False)
    binary = find_binary("az1", "qemu-system-x86_64")
    chosen = await accel.choose(binary, tmp_path)
    assert await accel.probe(binary, chosen) == ""
    before = time.monotonic()
    assert await accel.choose(binary, tmp_path) is chosen
    assert time.monotonic() - before < 0.02
