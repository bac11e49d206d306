"""Room for a copy: a DR disk that is smaller than its production disk grows before it receives."""

from opensdrs.cloud.specs import GIB
from opensdrs.domain.infrastructure import Volume
from opensdrs.flows.context import Picture
from opensdrs.sites.base import Site
from opensdrs.store import rows
from opensdrs.store.database import Database
from opensdrs.store.tables import volumes


async def ensure_room(database: Database, site: Site, picture: Picture) -> None:
    """No DR disk is smaller than its production disk. The site has given up writing to it (REPLICA).

    An extension that failed half-way leaves the larger one at the DR site of then; when the sites have changed their
    roles since, it is the smaller one that has to take the copy.
    """
    pairs = picture.replicated()
    ids = [volume_id for pair in pairs for volume_id in (pair.source_volume_id, pair.target_volume_id)]
    async with database.read() as connection:
        found = await rows.select(connection, Volume, rows.SYSTEM, volumes.c.id.in_(ids))
    size_gib = {volume.id: volume.size_gib for volume in found}
    for pair in pairs:
        dr_id = pair.volume_at(picture.production.other)
        wanted_gib = size_gib.get(pair.volume_at(picture.production), 0)
        if size_gib.get(dr_id, wanted_gib) < wanted_gib:
            await site.ensure_volume_size(dr_id, wanted_gib * GIB)
            async with database.write() as connection:
                await rows.update(connection, Volume, dr_id, size_gib=wanted_gib)
