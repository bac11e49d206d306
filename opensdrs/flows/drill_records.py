"""Are the rows of a drill complete? Somebody may have deleted a drill server or a copy by force while it was made."""

from opensdrs.domain.errors import refused
from opensdrs.domain.infrastructure import Attachment, Port, Server, Volume
from opensdrs.domain.model import DrillServer
from opensdrs.flows.context import Context
from opensdrs.store import rows
from opensdrs.store.rows import SYSTEM
from opensdrs.store.tables import attachments, drill_servers, ports


async def check_records(context: Context) -> None:
    """Raises: SDRS.1914 for a missing server, 1915 a copy, 1917 NICs, 1919 disks of a server."""
    async with context.database.read() as connection:
        for copy in context.param("copies"):
            if await rows.find(connection, Volume, copy["volume_id"], SYSTEM) is None:
                raise refused("SDRS.1915", f"disk {copy['volume_id']}")
        mine = drill_servers.c.drill_id == context.job.resource_id
        for member in await rows.select(connection, DrillServer, SYSTEM, mine):
            if await rows.find(connection, Server, member.server_id, SYSTEM) is None:
                raise refused("SDRS.1914", f"server {member.server_id} of instance {member.instance_id}")
            if not await rows.count(connection, Port, SYSTEM, ports.c.server_id == member.server_id):
                raise refused("SDRS.1917", f"server {member.server_id} of instance {member.instance_id}")
            if not await rows.count(connection, Attachment, SYSTEM, attachments.c.server_id == member.server_id):
                raise refused("SDRS.1919", f"server {member.server_id} of instance {member.instance_id}")
