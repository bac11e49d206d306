"""The built-in cloud in one piece: what the infrastructure API and the lab are given."""

from collections.abc import Sequence
from typing import Any

from opensdrs.cloud import checks
from opensdrs.cloud.attachments import Attachments
from opensdrs.cloud.catalog import Catalog
from opensdrs.cloud.eips import EipPool, Eips
from opensdrs.cloud.networks import Networks
from opensdrs.cloud.quotas import QuotaRows
from opensdrs.cloud.reach import Sites
from opensdrs.cloud.servers import Servers
from opensdrs.cloud.views import ServerView, server_views
from opensdrs.cloud.volumes import Volumes, settle_volume
from opensdrs.domain.infrastructure import Attachment, Server, ServerStatus, Volume, VolumeStatus
from opensdrs.store import rows
from opensdrs.store.database import Database
from opensdrs.store.rows import SYSTEM, Row, Scope
from opensdrs.store.tables import attachments, servers, volumes

_INTERRUPTED = "the control plane stopped in the middle"


class Cloud:
    """Servers, volumes, networks, elastic IPs and the catalogue over one database and the sites."""

    def __init__(self, database: Database, sites: Sites, *, eip_pool: EipPool | None = None) -> None:
        self._database = database
        self.volumes = Volumes(database, sites)
        self.servers = Servers(database, sites, self.volumes)
        self.attachments = Attachments(database, sites)
        self.networks = Networks(database)
        self.eips = Eips(database, sites, eip_pool or EipPool())
        self.catalog = Catalog(database, sites)
        self.quotas = QuotaRows(database)

    async def get(self, kind: type[Row], row_id: str, scope: Scope) -> Row:
        """Return a row that the scope sees. Raises: OPENSDRS.0404."""
        async with self._database.read() as connection:
            return await checks.get(connection, kind, row_id, scope)

    async def select(self, kind: type[Row], scope: Scope, **filters: Any) -> list[Row]:
        """Return the rows that the scope sees, oldest first; a filter of None is none."""
        async with self._database.read() as connection:
            return await checks.select(connection, kind, scope, filters)

    async def view(self, found: list[Server]) -> list[ServerView]:
        """Return servers with their NICs, elastic IPs and disks."""
        async with self._database.read() as connection:
            return await server_views(connection, found)

    async def attachments_of(self, found: Sequence[Volume]) -> list[Attachment]:
        """Return the attachments of volumes."""
        async with self._database.read() as connection:
            mine = attachments.c.volume_id.in_([volume.id for volume in found])
            return await rows.select(connection, Attachment, SYSTEM, mine)

    async def settle_interrupted(self) -> None:
        """At the start: what a dead control plane left half made by users' requests is in error.

        Rows that SDRS manages are left to their jobs, which go on.
        """
        async with self._database.write() as connection:
            busy = (ServerStatus.BUILD, ServerStatus.DELETING)
            for server in await rows.select(connection, Server, SYSTEM, servers.c.status.in_(busy)):
                if server.managed_by is None:
                    notes = {**server.attributes, "fault": _INTERRUPTED}
                    await rows.update(connection, Server, server.id, status=ServerStatus.ERROR, attributes=notes)
            half = (VolumeStatus.CREATING, VolumeStatus.DELETING)
            for volume in await rows.select(connection, Volume, SYSTEM, volumes.c.status.in_(half)):
                if volume.managed_by is None:
                    await settle_volume(connection, volume.id, _INTERRUPTED)
