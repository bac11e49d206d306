"""The lab's guest, really booted: what its ledger acknowledged is on disk after a kill, and it notices hardware."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from qemu.qmp import QMPClient

from opensdrs.lab.demo import CACHE
from opensdrs.lab.guest.build import DISK_BYTES, GuestBuildError, build_image
from opensdrs.lab.guest.packages import find

SECTOR_BYTES = 512
BOOT_TIMEOUT_S = 60.0  # seconds when the machine is idle: many tests share it
LINE_TIMEOUT_S = 30.0
POWER_OFF_TIMEOUT_S = 5.0
NETWORK = ("-device", "virtio-net-pci,netdev=n0,romfile=")


def sector(text: str) -> bytes:
    return text.encode().ljust(SECTOR_BYTES - 1) + b"\n"


def record(disk_id: int, number: int) -> bytes:
    return sector(f"LEDGER {number} {(disk_id + number) * 48271 % 2147483647}")


def blank_disk(path: Path, size_bytes: int = 64 << 20) -> Path:
    with path.open("wb") as disk:
        disk.truncate(size_bytes)
    return path


def disk_arguments(path: Path, node: str, *, snapshot: bool = False) -> tuple[str, ...]:
    drive = f"if=none,id={node},file={path},format=raw,snapshot={'on' if snapshot else 'off'}"
    return ("-drive", drive, "-device", f"virtio-blk-pci,drive={node}")


class Guest:
    """A running guest: its process, what its console said, and its QMP connection."""

    def __init__(self, process: asyncio.subprocess.Process, qmp: QMPClient) -> None:
        self.process = process
        self.qmp = qmp
        self.console: list[str] = []
        self.writers: list[asyncio.StreamWriter] = []
        self._said = asyncio.Condition()

    async def read_console(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            async with self._said:
                self.console.append(line.decode(errors="replace").strip())
                self._said.notify_all()

    async def line(self, start: str, *, after: int = 0, timeout_s: float = LINE_TIMEOUT_S) -> str:
        """Return the first console line, from line number `after` on, that begins with `start`."""

        def said() -> list[str]:
            return [line for line in self.console[after:] if line.startswith(start)]

        try:
            async with asyncio.timeout(timeout_s), self._said:
                return (await self._said.wait_for(said))[0]
        except TimeoutError:
            raise AssertionError(f"no {start!r} on the console within {timeout_s} s: {self.console[-20:]}") from None

    async def connect(self, guest_port: int) -> asyncio.StreamReader:
        """Connect to a TCP port of the guest through the host port QEMU chose for it."""
        await self.line("ADDRESS eth0")
        forwards = await self.qmp.execute("human-monitor-command", {"command-line": "info usernet"})
        row = re.search(rf"HOST_FORWARD\]\s+\d+\s+\S+\s+(\d+)\s+\S+\s+{guest_port}\s", str(forwards))
        assert row, forwards
        reader, writer = await asyncio.open_connection("127.0.0.1", int(row[1]))
        self.writers.append(writer)  # one that is dropped closes its connection
        return reader

    async def power_off(self) -> None:
        await self.qmp.execute("system_powerdown")
        async with asyncio.timeout(POWER_OFF_TIMEOUT_S):
            assert await self.process.wait() == 0


@asynccontextmanager
async def booted(image: Path, folder: Path, *arguments: str) -> AsyncIterator[Guest]:
    qmp = QMPClient()
    socket = folder / "qmp"
    await qmp.start_server(str(socket))
    process = await asyncio.create_subprocess_exec(
        *("qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "128"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-qmp", f"unix:{socket}"),
        *disk_arguments(image, "system", snapshot=True),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    guest = Guest(process, qmp)
    console = asyncio.create_task(guest.read_console())
    try:
        async with asyncio.timeout(BOOT_TIMEOUT_S):
            await qmp.accept()
        await guest.line("LEDGER", timeout_s=BOOT_TIMEOUT_S)
        yield guest
    finally:
        for writer in guest.writers:
            writer.close()
        if process.returncode is None:
            process.kill()
        await process.wait()
        await console
        with suppress(EOFError):  # how the end of QEMU shows here
            await qmp.disconnect()
        socket.unlink(missing_ok=True)


async def read_acknowledgements(reader: asyncio.StreamReader, count: int) -> tuple[str, list[int]]:
    """Return the ledger's status line and the next `count` acknowledged numbers."""
    async with asyncio.timeout(LINE_TIMEOUT_S):
        status = (await reader.readline()).decode().strip()
        lines = [await reader.readline() for _ in range(count)]
    return status, [int(line.removeprefix(b"ACK ")) for line in lines]


def acknowledged(lines: Iterable[str]) -> list[int]:
    return [int(number) for line in lines if (number := line.removeprefix("ACK ")) != line and number.isdigit()]


def parse_check(line: str) -> dict[str, int]:
    assert line.startswith("LEDGER-CHECK "), line
    return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)}


@pytest.fixture(scope="session")
def image() -> Path:
    return build_image(CACHE)


def test_build_image_when_its_inputs_did_not_change_needs_no_tool_and_reuses_it(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = image.stat()
    monkeypatch.setenv("PATH", "")
    assert build_image(CACHE) == image
    assert image.stat().st_mtime_ns == built.st_mtime_ns
    assert built.st_size == DISK_BYTES
    assert built.st_blocks * SECTOR_BYTES < 32 << 20


def test_find_when_a_package_cannot_be_had_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(GuestBuildError, match=r"apt-get update && apt-get install .*no-such-loader"):
        find("no-such-loader", lambda root: None, tmp_path)


async def test_ledger_when_its_server_is_killed_keeps_every_acknowledged_record(image: Path, tmp_path: Path) -> None:
    data = blank_disk(tmp_path / "data.raw")
    forward = "user,id=n0,hostfwd=tcp:127.0.0.1:0-:7000,hostfwd=tcp:127.0.0.1:0-:7001"
    arguments = (*disk_arguments(data, "data"), "-netdev", forward, *NETWORK)

    async with booted(image, tmp_path, *arguments) as guest:
        first = parse_check(await guest.line("LEDGER-CHECK"))
        assert (first["last"], first["bad"]) == (0, 0)
        readers = [await guest.connect(7000), await guest.connect(7000)]
        told = await asyncio.gather(*(read_acknowledgements(reader, 50) for reader in readers))
        guest.process.kill()
        await guest.process.wait()

    for status, numbers in told:
        assert parse_check(status) == first
        assert numbers == list(range(numbers[0], numbers[0] + 50))
    on_console = acknowledged(guest.console)
    assert on_console == list(range(1, len(on_console) + 1))
    highest = max(on_console[-1], *(numbers[-1] for _, numbers in told))
    content = data.read_bytes()
    assert content[:SECTOR_BYTES] == sector(f"OPENSDRS-LEDGER {first['id']}")
    for number in range(1, highest + 1):
        start = number * SECTOR_BYTES
        assert content[start : start + SECTOR_BYTES] == record(first["id"], number)

    async with booted(image, tmp_path, *arguments) as guest:
        again = parse_check(await guest.line("LEDGER-CHECK"))
        assert again["id"] == first["id"]
        assert again["last"] >= highest
        assert again["bad"] == 0
        await guest.line(f"ACK {again['last'] + 1}")
        reader = await guest.connect(7001)
        async with asyncio.timeout(LINE_TIMEOUT_S):
            present = parse_check((await reader.read()).decode())
        assert present["last"] > again["last"]
        assert present["bad"] == 0
        await guest.power_off()
    assert "POWER-OFF" in guest.console


async def test_ledger_when_records_are_missing_counts_them_and_goes_on_after_the_last(
    image: Path, tmp_path: Path
) -> None:
    disk_id, missing = 1234567890, {1000, 1001, 1500}
    data = blank_disk(tmp_path / "data.raw")
    with data.open("r+b") as disk:
        disk.write(sector(f"OPENSDRS-LEDGER {disk_id}"))
        for number in range(1, 3001):
            disk.write(bytes(SECTOR_BYTES) if number in missing else record(disk_id, number))

    async with booted(image, tmp_path, *disk_arguments(data, "data")) as guest:  # and no network interface at all
        assert parse_check(await guest.line("LEDGER-CHECK")) == {"id": disk_id, "last": 3000, "bad": 3}
        await guest.line("ACK 3001")
        await guest.power_off()


async def test_hardware_when_plugged_grown_and_unplugged_is_reported(image: Path, tmp_path: Path) -> None:
    data = blank_disk(tmp_path / "data.raw", 64 << 20)
    foreign = blank_disk(tmp_path / "foreign.raw", 1 << 20)
    with foreign.open("r+b") as disk:
        disk.seek(1080)  # where an ext file system has its first mark
        disk.write(b"\x53\xef")
    ports = [part for n in (1, 2) for part in ("-device", f"pcie-root-port,id=port{n},chassis={n},slot={n}")]
    async with booted(image, tmp_path, *ports, *disk_arguments(foreign, "foreign")) as guest:
        assert await guest.line("LEDGER") == "LEDGER none"
        await guest.line(f"DISK vda {DISK_BYTES}")
        await guest.line(f"DISK vdb {1 << 20}")

        node = {"node-name": "data", "driver": "raw", "file": {"driver": "file", "filename": os.fspath(data)}}
        await guest.qmp.execute("blockdev-add", node)
        await guest.qmp.execute(
            "device_add", {"driver": "virtio-blk-pci", "id": "disk1", "drive": "data", "bus": "port1"}
        )
        await guest.line(f"DISK vdc {64 << 20}")
        await guest.line("ACK 1")
        await guest.qmp.execute("block_resize", {"node-name": "data", "size": 96 << 20})
        await guest.line(f"DISK vdc {96 << 20}")

        await guest.qmp.execute("netdev_add", {"type": "user", "id": "n0"})
        await guest.qmp.execute(
            "device_add", {"driver": "virtio-net-pci", "id": "nic1", "netdev": "n0", "bus": "port2"}
        )
        await guest.line("NIC eth0")
        await guest.line("ADDRESS eth0 10.0.2.15")

        unplugged_at = len(guest.console)
        await guest.qmp.execute("device_del", {"id": "disk1"})
        await guest.qmp.execute("device_del", {"id": "nic1"})
        await guest.line("DISK-GONE vdc")
        await guest.line("NIC-GONE eth0")
        await guest.line("LEDGER none", after=unplugged_at)
        await guest.power_off()
    assert foreign.read_bytes().count(0) == (1 << 20) - 2
