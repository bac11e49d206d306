"""An agent as a process: what stops its start, in one sentence, and that it serves and ends cleanly."""

import asyncio
import json
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from opensdrs.domain.errors import SiteFault
from opensdrs.domain.ids import ServerId, SiteName, VolumeId, new_id
from opensdrs.main.agent import locked
from opensdrs.main.agent_config import read_agent_config
from opensdrs.main.certificates import create_authority, write_site_bundle
from opensdrs.main.config import ConfigError
from opensdrs.sites.model import Power, ServerState, SiteReport, VolumeSpec
from opensdrs.sites.qemu.cleanup import kill_everything
from opensdrs.sites.remote import RemoteSite
from tests.contract.remote_harness import find_free_port
from tests.contract.site_world import server_spec
from tests.waiting import eventually

RUN = "import sys, pathlib; from opensdrs.main.agent import run_agent; sys.exit(run_agent(pathlib.Path(sys.argv[1])))"


def write_config(folder: Path, text: str = "", *, port: int = 0, driver: str = "memory") -> Path:
    token = folder / "agent.token"
    token.write_text("secret\n")
    token.chmod(0o600)
    path = folder / "agent.toml"
    path.write_text(f'name = "az1"\ndriver = "{driver}"\n{text}\n[listen]\nport = {port or find_free_port()}\n')
    return path


@asynccontextmanager
async def started(config: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN, str(config), stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def describe(port: int) -> SiteReport | None:
    async with RemoteSite("az1", f"http://127.0.0.1:{port}", "secret") as remote:
        try:
            return await remote.describe()
        except SiteFault as fault:
            assert fault.is_transient, fault
            return None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_agent_when_told_to_stop_then_ends_with_zero_and_logs_json(
    tmp_path: Path, number: signal.Signals
) -> None:
    port = find_free_port()
    config = write_config(tmp_path, port=port)
    for _ in range(2):  # the second start finds the first one's directory
        async with started(config) as process:
            await eventually(lambda: describe(port), lambda report: report is not None)
            process.send_signal(number)
            out, err = await asyncio.wait_for(process.communicate(), timeout=10)
            assert (process.returncode, out) == (0, b""), err.decode()
            lines = [json.loads(line) for line in err.decode().splitlines()]
            assert [line["event"] for line in lines] == ["agent.started", "agent.stopped"]
            assert lines[0]["port"] == port
            assert b"secret" not in err


async def check_refuses(config: Path, *words: str) -> None:
    async with started(config) as process:
        _, err = await asyncio.wait_for(process.communicate(), timeout=20)
        assert process.returncode == 2
        assert err.count(b"\n") == 1
        for word in ("sdrs agent: ", *words):
            assert word in err.decode()


async def test_agent_when_the_port_is_taken_then_says_so(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        await check_refuses(write_config(tmp_path, port=port), f"127.0.0.1:{port} is in use")


async def test_agent_when_another_drives_the_directory_then_says_so(tmp_path: Path) -> None:
    with locked(tmp_path / "data", "az1"):
        await check_refuses(write_config(tmp_path), "another agent drives data_dir", "stop it first")


async def test_agent_when_a_key_is_unknown_then_names_it(tmp_path: Path) -> None:
    await check_refuses(write_config(tmp_path, "colour = 1"), "colour")


def test_directory_when_of_another_site_then_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path, "az1"):
        pass
    with pytest.raises(ConfigError, match="belongs to site az1"), locked(tmp_path, "az2"):
        pass
    with locked(tmp_path, "az1"):
        pass


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = ", "not valid TOML"),
        ("", "name"),
        ('name = "az1"\ndriver = "zfs"', "driver"),
        ('name = "az1"\n[listen]\nprot = 1', "prot"),
        ('name = "az1"\n[listen]\nhost = "0.0.0.0"', "loopback"),
        ('name = "az1"\n[listen]\nhost = "example.net"', "loopback"),
        ('name = "az1"\n[listen]\nclient_authority = "x"', "certificate"),
        ('name = "az1"\n[images]\ndebian = "none.raw"', "images.debian"),
        ('name = "az1"\n[peers.az1]\nhost = "h"', "peers.az1"),
        ('name = "az1"\n[relay]\nauthority = "ca.pem"', "bundle"),
    ],
)
def test_config_when_wrong_then_names_the_key(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_agent_config(path)


def test_config_when_there_is_no_file_then_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--config"):
        read_agent_config(tmp_path / "none.toml")


def test_qemu_when_there_is_no_relay_table_then_says_so(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text('name = "az1"')
    with pytest.raises(ConfigError, match=r"\[relay\]"):
        read_agent_config(path).qemu_settings()


@pytest.mark.parametrize(
    ("mode", "text", "words"), [(0o644, "s", "chmod 600"), (0o600, "", "secret"), (0o600, "a\nb", "one line")]
)
def test_token_when_unsafe_then_is_refused(tmp_path: Path, mode: int, text: str, words: str) -> None:
    config = write_config(tmp_path)
    (tmp_path / "agent.token").write_text(text)
    (tmp_path / "agent.token").chmod(mode)
    with pytest.raises(ConfigError, match=words):
        read_agent_config(config).read_token()


async def test_qemu_agent_when_restarted_then_its_server_has_not_noticed(short_path: Path) -> None:
    port, server_id, volume_id = find_free_port(), ServerId(new_id()), VolumeId(new_id())
    authority = create_authority()
    authority.write(short_path)
    write_site_bundle(authority, SiteName("az1"), short_path / "az1.pem")
    relay = (
        f'[relay]\nhost = "127.0.0.1"\nport = {find_free_port()}\nauthority = "ca.pem"\nbundle = "az1.pem"\nslots = 4'
    )
    config = write_config(short_path, relay, port=port, driver="qemu")
    reports = []
    for _ in range(2):
        async with started(config) as process:
            await eventually(lambda: describe(port), lambda report: report is not None)
            async with RemoteSite("az1", f"http://127.0.0.1:{port}", "secret") as remote:
                await remote.ensure_volume(VolumeSpec(volume_id=volume_id, size_bytes=1 << 20))
                await remote.ensure_server(server_spec(server_id, volume_id))
                reports.append(await remote.ensure_power(server_id, Power.ON))
            process.terminate()
            _, err = await asyncio.wait_for(process.communicate(), timeout=20)
            assert process.returncode == 0, err.decode()
    assert reports[0].state is ServerState.RUNNING
    assert reports[0] == reports[1]


@pytest.fixture
async def short_path() -> AsyncIterator[Path]:
    """A folder with a short name, because unix sockets' paths must be; what runs in it is killed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="sdrs-", dir="/tmp"))
    yield folder
    await kill_everything(folder / "data")
    shutil.rmtree(folder)
