"""What the storage half of a site was told, on disk: volumes, groups and the newest epochs. One small JSON file.

Everything is written here *before* it is acted on. What runs is asked from the daemons, never from here.
"""

import asyncio
import os
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import msgspec

from opensdrs.domain.errors.kind import Cause, SiteFault, Superseded
from opensdrs.domain.ids import GroupId, PairId, SiteName, VolumeId
from opensdrs.sites.model import Mode

T = TypeVar("T")


class VolumeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A volume. `source_volume_id`: it is a snapshot of that one."""

    volume_id: VolumeId
    size_bytes: int
    name: str = ""
    source_volume_id: VolumeId | None = None


class Pause(StrEnum):
    """How far the suspension of a pair is."""

    NONE = "none"
    BEGUN = "begun"  # guests may be cut off, the mirror may have ended
    IDENTICAL = "identical"  # guests are cut off, the mirror ended with both copies identical and on the disk


class PairRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A pair of a group.

    `slot`: the relay's slot that it sends through (MIRROR). `began`: a mirror was begun at this epoch, so the
    permission to start without copying is used up; `pause` IDENTICAL is such a permission as well. `sent_base`: the
    slot's count when the mirror was begun.
    """

    pair_id: PairId
    volume_id: VolumeId
    identical: bool = False
    slot: str | None = None
    began: bool = False
    sent_base: int = 0
    pause: Pause = Pause.NONE


class GroupRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A group as it was last told to be. `degraded`: writes go on without the peer until `ensure_group`."""

    group_id: GroupId
    epoch: int
    mode: Mode
    peer: SiteName
    link_timeout_s: float
    pairs: tuple[PairRecord, ...]
    degraded: bool = False
    demoted: bool = False


class _Content(msgspec.Struct, kw_only=True):
    volumes: dict[str, VolumeRecord] = {}
    groups: dict[str, GroupRecord] = {}
    forgotten_epochs: dict[str, int] = {}  # of groups that were forgotten: an old controller stays superseded


class StorageState:
    """The file and its content in memory. Change it through the methods only; they return when it is durable."""

    def __init__(self, site: SiteName, path: Path) -> None:
        self._site = site
        self._path = path
        self._lock = asyncio.Lock()
        self._content = msgspec.json.decode(path.read_bytes(), type=_Content) if path.exists() else _Content()

    # -- reading -------------------------------------------------------------------------------------------------------

    def volumes(self) -> list[VolumeRecord]:
        """Return every volume, snapshots too."""
        return list(self._content.volumes.values())

    def find_volume(self, volume_id: VolumeId) -> VolumeRecord | None:
        """Return a volume, or None."""
        return self._content.volumes.get(volume_id)

    def get_volume(self, volume_id: VolumeId) -> VolumeRecord:
        """Return a volume. Raises: SiteFault NOT_FOUND."""
        record = self.find_volume(volume_id)
        if record is None:
            raise SiteFault(self._site, "get volume", Cause.NOT_FOUND, f"there is no volume {volume_id}")
        return record

    def snapshots_of(self, volume_id: VolumeId) -> list[VolumeRecord]:
        """Return the snapshots that need a volume."""
        return [record for record in self.volumes() if record.source_volume_id == volume_id]

    def groups(self) -> list[GroupRecord]:
        """Return every group."""
        return list(self._content.groups.values())

    def find_group(self, group_id: GroupId) -> GroupRecord | None:
        """Return a group, or None."""
        return self._content.groups.get(group_id)

    def get_group(self, group_id: GroupId) -> GroupRecord:
        """Return a group. Raises: SiteFault NOT_FOUND."""
        record = self.find_group(group_id)
        if record is None:
            raise SiteFault(self._site, "get group", Cause.NOT_FOUND, f"there is no group {group_id}")
        return record

    def group_of(self, volume_id: VolumeId) -> GroupRecord | None:
        """Return the group that holds a volume."""
        return next((g for g in self.groups() if any(pair.volume_id == volume_id for pair in g.pairs)), None)

    def check_epoch(self, group_id: GroupId, epoch: int) -> None:
        """Refuse whoever acts for an older epoch than one that was seen. Raises: Superseded."""
        record = self.find_group(group_id)
        seen = max(self._content.forgotten_epochs.get(group_id, 0), 0 if record is None else record.epoch)
        if epoch < seen:
            raise Superseded(f"site {self._site}, group {group_id}", epoch, seen)

    # -- writing -------------------------------------------------------------------------------------------------------

    async def write_volume(self, record: VolumeRecord) -> None:
        """Record a volume."""
        await self._put(self._content.volumes, record.volume_id, record)

    async def remove_volume(self, volume_id: VolumeId) -> None:
        """Forget a volume."""
        await self._put(self._content.volumes, volume_id, None)

    async def write_group(self, record: GroupRecord) -> None:
        """Record a group."""
        await self._put(self._content.groups, record.group_id, record)

    async def write_pair(self, group_id: GroupId, pair: PairRecord) -> GroupRecord:
        """Record a change of one pair of a group; return the group as it is then."""
        group = self.get_group(group_id)
        pairs = tuple(pair if each.pair_id == pair.pair_id else each for each in group.pairs)
        changed = msgspec.structs.replace(group, pairs=pairs)
        await self.write_group(changed)
        return changed

    async def remove_group(self, group_id: GroupId, epoch: int) -> None:
        """Forget a group, but not its epoch."""
        self._content.forgotten_epochs[group_id] = epoch
        await self._put(self._content.groups, group_id, None)

    async def _put(self, table: dict[str, T], key: str, value: T | None) -> None:
        before = table.get(key)
        _set(table, key, value)
        try:
            # Shielded: a caller that gives up must leave neither two writers of one file nor an outdated file.
            await asyncio.shield(asyncio.ensure_future(self._save()))
        except OSError as error:
            _set(table, key, before)
            detail = f"{self._path} cannot be written: {error.strerror}"
            raise SiteFault(self._site, "record", Cause.NO_SPACE, detail) from error

    async def _save(self) -> None:
        async with self._lock:
            await asyncio.to_thread(_write_durably, self._path, msgspec.json.encode(self._content))


def _set(table: dict[str, T], key: str, value: T | None) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value


def _write_durably(path: Path, data: bytes) -> None:
    """After a power cut there is the old content or the new one."""
    draft = path.with_name(f"{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
