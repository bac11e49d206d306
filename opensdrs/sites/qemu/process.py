"""Detached processes of a site: they outlive the agent, and the next agent finds them again.

A process is known by its pid *and* its start time (pids are reused), and carries the run directory in its
environment, so that everything of a site can be found even if the agent died between the start and the pid file.
Signals go through a pidfd: they never hit a stranger that got the same pid.
"""

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_RUN_DIR = "OPENSDRS_RUN_DIR"
_NAME = "OPENSDRS_PROCESS"
_KILL_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Proc:
    """A running (or ended) process. `started` is field 22 of /proc/PID/stat, clock ticks since boot."""

    name: str
    pid: int
    started: int
    run_dir: Path

    def is_alive(self) -> bool:
        """Whether it runs; a zombie does not. Reaps our own dead child."""
        _reap(self.pid)
        return _start_ticks(self.pid) == self.started

    def send(self, number: signal.Signals) -> bool:
        """Send a signal. False if the process has ended."""
        try:
            pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            if _start_ticks(self.pid) != self.started:  # checked while the pidfd pins the pid
                return False
            signal.pidfd_send_signal(pidfd, number)
            return True
        except ProcessLookupError:
            return False
        finally:
            os.close(pidfd)

    def kill(self) -> None:
        """Send SIGKILL at once, without waiting (`wait` does)."""
        self.send(signal.SIGKILL)

    async def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it has ended. False if it still runs after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ended()
        except TimeoutError:
            return not self.is_alive()
        return True

    async def terminate(self, timeout_s: float) -> None:
        """Ask it to end, kill it after `timeout_s`, return when it is gone. Raises: TimeoutError if it cannot die."""
        self.send(signal.SIGTERM)
        if await self.wait(timeout_s):
            return
        self.kill()
        if not await self.wait(_KILL_TIMEOUT_S):
            raise TimeoutError(f"process {self.pid} ({self.name}) does not end after SIGKILL")

    async def _ended(self) -> None:
        try:
            pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(pidfd, ended.set)  # a pidfd becomes readable when its process ends, child or not
        try:
            if self.is_alive():
                await ended.wait()
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)
        _reap(self.pid)


def spawn(name: str, argv: Sequence[str], run_dir: Path, env: Mapping[str, str] | None = None) -> Proc:
    """Start a process in a session of its own; output goes to `NAME.out` and `NAME.err` in `run_dir`.

    The caller makes sure that no process of that name runs (`find`). `argv[0]` is an absolute path.
    """
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    marked = {**os.environ, **(env or {}), _RUN_DIR: str(run_dir), _NAME: name}
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        argv[0],
        list(argv),
        marked,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(run_dir / f"{name}.out"), append, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, str(run_dir / f"{name}.err"), append, 0o600),
        ],
        setsid=True,
    )
    started = _start_ticks(pid, zombie=True)
    proc = Proc(name=name, pid=pid, started=-1 if started is None else started, run_dir=run_dir)
    pid_file = _pid_file(name, run_dir)
    temporary = pid_file.with_suffix(".pid.new")
    temporary.write_text(json.dumps({"pid": proc.pid, "started": proc.started}))
    temporary.replace(pid_file)
    return proc


def find(name: str, run_dir: Path) -> Proc | None:
    """Return the process of that name if it runs, from whichever agent it was started."""
    try:
        record = json.loads(_pid_file(name, run_dir).read_text())
    except (FileNotFoundError, ValueError):
        return None
    proc = Proc(name=name, pid=int(record["pid"]), started=int(record["started"]), run_dir=run_dir)
    return proc if proc.is_alive() else None


def last_words(name: str, run_dir: Path, limit: int = 500) -> str:
    """Return the end of the process's error output, for messages."""
    try:
        data = (run_dir / f"{name}.err").read_bytes()
    except FileNotFoundError:
        return ""
    return data[-limit:].decode(errors="replace").strip()


def all_processes(data_dir: Path) -> list[Proc]:
    """Return every running process whose run directory lies in `data_dir`, with or without a pid file."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (proc := _marked_process(int(entry.name), data_dir)) is not None:
            found.append(proc)
    return found


def _marked_process(pid: int, data_dir: Path) -> Proc | None:
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # ended meanwhile, or another user's
        return None
    if _RUN_DIR.encode() not in raw:
        return None
    env = dict(pair.split("=", 1) for pair in raw.decode(errors="replace").split("\0") if "=" in pair)
    run_dir = Path(env.get(_RUN_DIR, "/"))
    started = _start_ticks(pid)
    if started is None or not run_dir.is_relative_to(data_dir):
        return None
    return Proc(name=env.get(_NAME, "?"), pid=pid, started=started, run_dir=run_dir)


def _start_ticks(pid: int, *, zombie: bool = False) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in ("Z", "X") and not zombie:
        return None
    return int(fields[19])


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # the child of an earlier agent: init reaps it


def _pid_file(name: str, run_dir: Path) -> Path:
    return run_dir / f"{name}.pid"
