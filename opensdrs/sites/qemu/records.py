"""What the site was told about its servers, on disk: one file per server, written before anything is done."""

import os
from pathlib import Path

import msgspec

from opensdrs.domain.ids import ServerId
from opensdrs.sites.model import Power, ServerSpec


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One server as it was last told to be.

    `started` is the specification its present process was started with, and `disks` of it every disk the process may
    have by now: what a restarted agent must assume to be in use. None: no process. `held`: a hold may have paused it.
    `ended` says why the last process ended unasked.
    """

    spec: ServerSpec
    wanted: Power = Power.OFF
    started: ServerSpec | None = None
    started_at: float | None = None
    held: bool = False
    ended: str = ""


class Records:
    """The folder of the records."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def read_all(self) -> dict[ServerId, Record]:
        """Return every record. Raises: msgspec.DecodeError for a file that is not one; none is ever half written."""
        found = [msgspec.json.decode(path.read_bytes(), type=Record) for path in sorted(self.folder.glob("*.json"))]
        return {record.spec.server_id: record for record in found}

    def write(self, record: Record) -> None:
        """Make the record durable: after a power cut there is the old one or the new one."""
        path = self._path(record.spec.server_id)
        draft = path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, msgspec.json.encode(record))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(path)
        self._sync_folder()

    def remove(self, server_id: ServerId) -> None:
        """Forget a server."""
        self._path(server_id).unlink(missing_ok=True)
        self._sync_folder()

    def _path(self, server_id: ServerId) -> Path:
        return self.folder / f"{server_id}.json"

    def _sync_folder(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
