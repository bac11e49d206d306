"""Volumes: create, delete, open. Attaching them to servers: `attachments.py`."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from opensdrs.cloud.checks import check_name, get, invalid
from opensdrs.cloud.protection import check_not_replicated
from opensdrs.cloud.reach import QUESTION_S, VOLUME_S, Sites, check_site, reach
from opensdrs.cloud.specs import volume_spec
from opensdrs.domain.errors import SiteFault, refused
from opensdrs.domain.ids import ProjectId, ServerId, SiteName, VolumeId, new_id
from opensdrs.domain.infrastructure import Attachment, Server, StoragePool, Volume, VolumeStatus, VolumeType
from opensdrs.store import rows
from opensdrs.store.database import Connection, Database
from opensdrs.store.rows import SYSTEM, Scope
from opensdrs.store.tables import attachments

MIN_GIB, MAX_GIB = 1, 32768


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVolume:
    """What a volume shall be. `image` makes it a bootable one that starts as a copy of that image."""

    name: str
    size_gib: int
    type: VolumeType = VolumeType.SSD
    shared: bool = False
    bootable: bool = False
    encrypted: bool = False
    image: str | None = None
    storage_pool_id: str | None = None
    volume_id: VolumeId | None = None
    managed_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeAccess:
    """How tools open a volume. `writable` only while no running server has it and its mode is open; `note` says why.

    `uri` is None where the volume's mode exports nothing.
    """

    volume_id: VolumeId
    uri: str | None
    writable: bool
    used_by: ServerId | None
    mode: str
    size_bytes: int
    note: str


async def add_volume(connection: Connection, *, project_id: ProjectId, site: SiteName, new: NewVolume) -> Volume:
    """Insert the row of a volume that is being created. Raises: OPENSDRS.0400, OPENSDRS.0404."""
    if not MIN_GIB <= new.size_gib <= MAX_GIB:
        raise invalid("size_gib", f"{new.size_gib} is not {MIN_GIB} to {MAX_GIB}")
    if new.shared and (new.bootable or new.image):
        raise invalid("shared", "a system disk cannot be shared")
    if new.storage_pool_id is not None:
        pool = await get(connection, StoragePool, new.storage_pool_id, Scope(project_id))
        if pool.site != site or pool.type is not new.type:
            raise invalid("storage_pool_id", f"storage pool {pool.name} is of type {pool.type} in {pool.site}")
    now = time.time()
    volume = Volume(
        id=new.volume_id or VolumeId(new_id()),
        project_id=project_id,
        name=check_name(new.name),
        site=site,
        status=VolumeStatus.CREATING,
        size_gib=new.size_gib,
        type=new.type,
        shared=new.shared,
        bootable=new.bootable or new.image is not None,
        encrypted=new.encrypted,
        image=new.image,
        storage_pool_id=new.storage_pool_id,
        managed_by=new.managed_by,
        created_at=now,
        updated_at=now,
    )
    await rows.insert(connection, volume)
    return volume


async def settle_volume(connection: Connection, volume_id: VolumeId, fault: str | None = None) -> None:
    """Set a volume's status to what its attachments say, or to error with the reason."""
    volume = await rows.get(connection, Volume, volume_id)
    used = await rows.count(connection, Attachment, SYSTEM, attachments.c.volume_id == volume_id)
    status = VolumeStatus.IN_USE if used else VolumeStatus.AVAILABLE
    notes = {key: value for key, value in volume.attributes.items() if key != "fault"}
    if fault is not None:
        status, notes = VolumeStatus.ERROR, {**notes, "fault": fault}
    await rows.update(connection, Volume, volume_id, status=status, attributes=notes, updated_at=time.time())


class Volumes:
    """The volumes of both sites."""

    def __init__(self, database: Database, sites: Sites) -> None:
        self._database = database
        self._sites = sites

    async def create(self, project_id: ProjectId, site: str, new: NewVolume) -> Volume:
        """Create a volume; returns when it exists at its site.

        Raises: OPENSDRS.0400, OPENSDRS.0404, SiteFault (the row then stays with status error).
        """
        zone = check_site(self._sites, site)
        async with self._database.write() as connection:
            volume = await add_volume(connection, project_id=project_id, site=zone, new=new)
        await self.ensure(volume.id)
        return await self._read(volume.id)

    async def ensure(self, volume_id: VolumeId) -> None:
        """Bring about a volume whose row exists. Idempotent. Raises: SiteFault."""
        async with self._database.read() as connection:
            volume = await rows.get(connection, Volume, volume_id)
            spec = await volume_spec(connection, volume_id)
        fault: str | None = "the creation was interrupted"
        try:
            async with reach(self._sites, volume.site, "ensure_volume", VOLUME_S) as site:
                await site.ensure_volume(spec)
            fault = None
        except SiteFault as error:
            fault = str(error)
            raise
        finally:
            await asyncio.shield(self._settle(volume_id, fault))

    async def _settle(self, volume_id: VolumeId, fault: str | None) -> None:
        async with self._database.write() as connection:
            await settle_volume(connection, volume_id, fault)

    async def _read(self, volume_id: VolumeId) -> Volume:
        async with self._database.read() as connection:
            return await rows.get(connection, Volume, volume_id)

    async def change(
        self, scope: Scope, volume_id: VolumeId, *, name: str | None = None, attributes: dict[str, Any] | None = None
    ) -> Volume:
        """Rename the volume, or set attributes (None removes one). Raises: OPENSDRS.0400, OPENSDRS.0404."""
        async with self._database.write() as connection:
            volume = await get(connection, Volume, volume_id, scope)
            notes = {**volume.attributes, **(attributes or {})}
            await rows.update(
                connection,
                Volume,
                volume_id,
                name=volume.name if name is None else check_name(name),
                attributes={key: value for key, value in notes.items() if value is not None},
                updated_at=time.time(),
            )
        return await self._read(volume_id)

    async def delete(self, scope: Scope, volume_id: VolumeId) -> None:
        """Delete a volume and its data. Raises: OPENSDRS.0404, OPENSDRS.0409 while anything uses it, SiteFault."""
        async with self._database.write() as connection:
            volume = await get(connection, Volume, volume_id, scope)
            await self._check_unused(connection, volume)
            await rows.update(connection, Volume, volume_id, status=VolumeStatus.DELETING, updated_at=time.time())
        try:
            async with reach(self._sites, volume.site, "ensure_volume_absent", VOLUME_S) as site:
                await site.ensure_volume_absent(volume_id)
        except SiteFault as error:
            await self._settle(volume_id, str(error))
            raise
        async with self._database.write() as connection:
            await rows.delete(connection, Volume, [volume_id])

    @staticmethod
    async def _check_unused(connection: Connection, volume: Volume) -> None:
        await check_not_replicated(connection, volume.id)
        if volume.managed_by is not None:
            raise refused(
                "OPENSDRS.0409",
                f"volume {volume.name} was made by SDRS for {volume.managed_by}",
                remedy="Delete the drill or the replication pair that made it.",
            )
        for attachment in await rows.select(connection, Attachment, SYSTEM, attachments.c.volume_id == volume.id):
            server = await rows.get(connection, Server, attachment.server_id)
            raise refused("OPENSDRS.0409", f"volume {volume.name} is {attachment.device} of server {server.name}",
                          remedy="Detach it first.")  # fmt: skip

    async def open(self, scope: Scope, volume_id: VolumeId) -> VolumeAccess:
        """Say how tools open the volume, and whether they may write. Raises: OPENSDRS.0404, SiteFault."""
        async with self._database.read() as connection:
            volume = await get(connection, Volume, volume_id, scope)
        async with reach(self._sites, volume.site, "get_volume", QUESTION_S) as site:
            report = await site.get_volume(volume_id)
        note = "open for reading and writing"
        if report.nbd_uri is None:
            note = f"not exported: the volume is {report.mode} in its protection group"
        elif report.used_by is not None:
            note = f"read only: server {report.used_by} runs with it"
        elif not report.writable:
            note = f"read only: the volume is {report.mode}"
        return VolumeAccess(
            volume_id=volume_id,
            uri=report.nbd_uri,
            writable=report.writable and report.used_by is None and report.nbd_uri is not None,
            used_by=report.used_by,
            mode=report.mode,
            size_bytes=report.size_bytes,
            note=note,
        )
