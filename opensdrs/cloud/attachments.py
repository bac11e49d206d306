"""Volumes attached to servers, as native operations; the disks of replication pairs are attached by SDRS."""

import re
import string

from opensdrs.cloud.checks import get, invalid, lock
from opensdrs.cloud.protection import check_not_replicated
from opensdrs.cloud.push import push_server
from opensdrs.cloud.reach import Sites
from opensdrs.cloud.volumes import settle_volume
from opensdrs.domain.errors import SiteFault, refused
from opensdrs.domain.ids import ServerId, VolumeId, new_id
from opensdrs.domain.infrastructure import Attachment, Server, ServerStatus, Volume, VolumeStatus
from opensdrs.store import rows
from opensdrs.store.database import Connection, Database
from opensdrs.store.rows import SYSTEM, Scope
from opensdrs.store.tables import attachments

SYSTEM_DEVICE = "/dev/vda"
DEVICES = tuple(f"/dev/vd{letter}" for letter in string.ascii_lowercase)
_DEVICE_SHAPE = re.compile(r"/dev/[sv]d([a-z])")


def check_device(text: str) -> str:
    """Return a device's name on this bus: /dev/sdb is /dev/vdb (MATRIX C17). Raises: OPENSDRS.0400."""
    match = _DEVICE_SHAPE.fullmatch(text)
    if match is None:
        raise invalid("device", f"{text!r} is not /dev/vda to /dev/vdz")
    return f"/dev/vd{match[1]}"


def check_usable(volume: Volume) -> None:
    """Raises: OPENSDRS.0409 for a volume that is being made or deleted, or is in error."""
    if volume.status not in (VolumeStatus.AVAILABLE, VolumeStatus.IN_USE):
        raise refused("OPENSDRS.0409", f"volume {volume.name} is {volume.status}", remedy="Use another volume.")


async def add_attachment(
    connection: Connection, server: Server, volume: Volume, device: str | None = None
) -> Attachment:
    """Insert an attachment at the given device or the next free one. Raises: OPENSDRS.0400, OPENSDRS.0409."""
    await lock(connection, Server, server.id)
    await lock(connection, Volume, volume.id)
    if volume.site != server.site:
        raise refused("OPENSDRS.0409", f"volume {volume.name} is in {volume.site}, the server in {server.site}",
                      remedy="Use a volume of the server's availability zone.")  # fmt: skip
    for other in await rows.select(connection, Attachment, SYSTEM, attachments.c.volume_id == volume.id):
        if not volume.shared or other.server_id == server.id:
            raise refused("OPENSDRS.0409", f"volume {volume.name} is attached to server {other.server_id}",
                          remedy="Detach it first, or create it as a shared volume.")  # fmt: skip
    taken = {row.device for row in await rows.select(connection, Attachment, SYSTEM,
                                                     attachments.c.server_id == server.id)}  # fmt: skip
    chosen = check_device(device) if device else next((name for name in DEVICES if name not in taken), None)
    if chosen is None or chosen in taken:
        raise refused(
            "OPENSDRS.0409", f"device {chosen or 'names of the server'} is taken", remedy="Use another device."
        )
    attachment = Attachment(id=new_id(), server_id=server.id, volume_id=volume.id, device=chosen)
    await rows.insert(connection, attachment)
    return attachment


class Attachments:
    """Attach and detach volumes."""

    def __init__(self, database: Database, sites: Sites) -> None:
        self._database = database
        self._sites = sites

    async def attach(
        self, scope: Scope, server_id: ServerId, volume_id: VolumeId, device: str | None = None
    ) -> Attachment:
        """Attach a volume, also to a running server. Raises: OPENSDRS.0400, 0404, 0409, SiteFault (nothing changed)."""
        async with self._database.write() as connection:
            server = await get(connection, Server, server_id, scope)
            volume = await get(connection, Volume, volume_id, scope)
            await check_not_replicated(connection, volume_id)
            check_usable(volume)
            attachment = await add_attachment(connection, server, volume, device)
            await settle_volume(connection, volume_id)
        try:
            await push_server(self._database, self._sites, server_id)
        except SiteFault:
            async with self._database.write() as connection:
                await rows.delete(connection, Attachment, [attachment.id])
                await settle_volume(connection, volume_id)
            raise
        return attachment

    async def detach(self, scope: Scope, server_id: ServerId, volume_id: VolumeId) -> None:
        """Detach a volume; a running server lets go of it first. Raises: OPENSDRS.0404, 0409, SiteFault."""
        async with self._database.write() as connection:
            server = await get(connection, Server, server_id, scope)
            volume = await get(connection, Volume, volume_id, scope)
            mine = (attachments.c.server_id == server_id, attachments.c.volume_id == volume_id)
            found = await rows.select(connection, Attachment, SYSTEM, *mine)
            if not found:
                raise refused("OPENSDRS.0404", f"volume {volume.name} is not attached to server {server.name}")
            await check_not_replicated(connection, volume_id)
            if found[0].device == SYSTEM_DEVICE and server.status is ServerStatus.ACTIVE:
                raise refused("OPENSDRS.0409", f"server {server.name} runs from this disk", remedy="Stop it first.")
            await rows.delete(connection, Attachment, [found[0].id])
            await settle_volume(connection, volume_id)
        try:
            await push_server(self._database, self._sites, server_id)
        except SiteFault:
            async with self._database.write() as connection:
                await rows.insert(connection, found[0])
                await settle_volume(connection, volume_id)
            raise
