"""The agent's process: configuration, lock, driver, server. `python -m opensdrs agent --config FILE` ends up here.

Whatever is wrong at the start is said in one sentence on standard error, with exit code 2.
"""

import asyncio
import fcntl
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from opensdrs.agent.serve import serve_until_signal
from opensdrs.domain.errors.kind import SiteFault
from opensdrs.main.agent_config import AgentConfig, read_agent_config
from opensdrs.main.config import ConfigError
from opensdrs.process.log import log_json_lines
from opensdrs.process.serving import CannotListen, check_can_listen
from opensdrs.sites.base import Site
from opensdrs.sites.memory import MemorySite
from opensdrs.sites.qemu.driver import QemuSite

EXIT_CANNOT_START = 2
_LOCK_NAME = "agent.lock"


def run_agent(config_path: Path) -> int:
    """Run an agent until SIGTERM or SIGINT; return the process's exit code.

    Stopping it leaves daemons and servers running; the next start takes them over.
    """
    try:
        config = read_agent_config(config_path)
        token = config.read_token()
        log_json_lines(config.tree.log_level)
        check_can_listen(config.listen)
        with locked(config.data_path, config.tree.name):
            asyncio.run(_serve(config, token))
    except (ConfigError, CannotListen) as error:
        return _give_up(str(error))
    except SiteFault as fault:
        return _give_up(f"site {fault.site} cannot start: {fault.detail or fault.cause}")
    return 0


@contextmanager
def locked(data_path: Path, name: str) -> Iterator[None]:
    """Hold the data directory, so that two agents never drive the same volumes. Raises: ConfigError.

    The kernel drops the lock with the process, however that ends. The file also says whose directory it is.
    """
    try:
        data_path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(data_path / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"data_dir {data_path} cannot be used ({error.strerror}); correct it or its owner") from None
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"another agent drives data_dir {data_path}; stop it first") from None
        owner = file.read().strip()
        if owner not in ("", name):
            raise ConfigError(f"data_dir {data_path} belongs to site {owner}, not {name}; choose another directory")
        if not owner:
            file.write(f"{name}\n")
            file.flush()
        yield


async def _serve(config: AgentConfig, token: str) -> None:
    async with _driving(config) as (site, close):
        await serve_until_signal(site, token, config.listen, close=close)


@asynccontextmanager
async def _driving(config: AgentConfig) -> AsyncIterator[tuple[Site, Callable[[], Awaitable[None]]]]:
    """Build and start the driver; it is closed by the server's shutdown, or here if that never came about."""
    site, start, close = _build_driver(config)
    is_closed = False

    async def close_once() -> None:
        nonlocal is_closed
        if not is_closed:
            is_closed = True
            await close()

    try:
        await start()
        yield site, close_once
    finally:
        await close_once()


def _build_driver(config: AgentConfig) -> tuple[Site, Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]:
    match config.tree.driver:
        case "memory":
            memory = MemorySite(
                config.tree.name, images={name: path.read_bytes() for name, path in config.images.items()}
            )
            return memory, _nothing_to_start, memory.close
        case "qemu":
            qemu = QemuSite(config.qemu_settings())
            return qemu, qemu.start, qemu.close


async def _nothing_to_start() -> None:
    return None


def _give_up(sentence: str) -> int:
    print(f"sdrs agent: {sentence}", file=sys.stderr)
    return EXIT_CANNOT_START
