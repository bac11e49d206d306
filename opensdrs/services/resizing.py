"""Other flavors for the servers of a protected instance, both or one of them. Source: 5.5.10.

A dedicated host takes every flavor, so SDRS.1374 is never the answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import InstanceId, JobId, SiteName, is_id_shaped
from opensdrs.domain.infrastructure import DedicatedHost, Flavor, Server, ServerStatus
from opensdrs.domain.model import PairAttachment
from opensdrs.domain.operations import BY_JOB_TYPE, JobType
from opensdrs.iam.caller import Caller
from opensdrs.services.base import Service
from opensdrs.services.billing import is_paid_in_advance
from opensdrs.services.instance_changes import Members, begin, members
from opensdrs.services.instance_disks import SYSTEM_DISK
from opensdrs.services.requests import Resize
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection
from opensdrs.store.rows import SYSTEM


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One server, what is wanted of it, and the codes of that side."""

    server: Server
    flavor_id: str | None
    host_id: str | None
    unknown_flavor: str
    same_flavor: str
    running: str
    host_unwanted: str
    host_missing: str

    @property
    def is_changed(self) -> bool:
        """Whether the server's flavor shall be another one, or its host."""
        return self.flavor_id is not None and (self.flavor_id, self.host_id or self.server.dedicated_host_id) != (
            self.server.flavor_id, self.server.dedicated_host_id
        )  # fmt: skip


class ResizeService(Service):
    """Admits changes of flavors."""

    async def resize(self, caller: Caller, instance_id: InstanceId, wanted: Resize) -> JobId:
        """`flavorRef` is for both servers and wins over the others.

        Raises: SDRS.0201, 0208, 0227, 1002, 1314, 1320, 1328, 1341, 1342, 1352, 1353, 1356, 1367 - 1370, 1372, 1373,
        1376 - 1379.
        """
        _check_fields(wanted)
        operation = BY_JOB_TYPE[JobType.RESIZE_INSTANCE]
        async with self._admitting() as connection:
            found = await members(connection, caller, instance_id, operation)
            await _check_system_disk(connection, found)
            sides = [side for side in _sides(found, wanted) if side.flavor_id]
            for side in sides:
                await _check(connection, caller, side)
            if wanted.flavor_id and not any(side.is_changed for side in sides):
                raise refused("SDRS.1341", f"both servers have flavor {wanted.flavor_id}")
            for side in sides:
                if not side.is_changed and not wanted.flavor_id:
                    raise refused(side.same_flavor, f"server {side.server.name} has flavor {side.flavor_id}")
            changed = [side for side in sides if side.is_changed]
            for side in changed:
                _check_at_rest(side)
            params = {
                "before": {side.server.id: _columns(side.server.flavor_id, side.server.dedicated_host_id)
                           for side in changed},
                "wanted": {side.server.id: _columns(side.flavor_id, side.host_id or side.server.dedicated_host_id)
                           for side in changed},
            }  # fmt: skip
            return await begin(connection, caller, found.instance, operation, params, self._clock())


def _columns(flavor_id: str | None, host_id: str | None) -> dict[str, str | None]:
    return {"flavor_id": flavor_id, "dedicated_host_id": host_id}


def _check_fields(wanted: Resize) -> None:
    """Raises: SDRS.0201 without a flavor, SDRS.0227."""
    if not (wanted.flavor_id or wanted.production_flavor_id or wanted.dr_flavor_id):
        raise refused("SDRS.0201", "resize names none of flavorRef, production_flavorRef and dr_flavorRef")
    for host_id in (wanted.production_dedicated_host_id, wanted.dr_dedicated_host_id):
        if host_id and not is_id_shaped(host_id):
            raise refused("SDRS.0227")


def _sides(found: Members, wanted: Resize) -> Iterator[_Side]:
    yield _Side(
        server=found.production,
        flavor_id=wanted.flavor_id or wanted.production_flavor_id,
        host_id=wanted.production_dedicated_host_id or None,
        unknown_flavor="SDRS.1356",
        same_flavor="SDRS.1378",
        running="SDRS.1352",
        host_unwanted="SDRS.1368",
        host_missing="SDRS.1370",
    )
    yield _Side(
        server=found.dr,
        flavor_id=wanted.flavor_id or wanted.dr_flavor_id,
        host_id=wanted.dr_dedicated_host_id or None,
        unknown_flavor="SDRS.1353",
        same_flavor="SDRS.1379",
        running="SDRS.1342",
        host_unwanted="SDRS.1367",
        host_missing="SDRS.1369",
    )


async def _check_system_disk(connection: Connection, found: Members) -> None:
    """Raises: SDRS.1377."""
    links = tables.pair_attachments
    mine = (links.c.instance_id == found.instance.id, links.c.device == SYSTEM_DISK)
    if not await rows.count(connection, PairAttachment, SYSTEM, *mine):
        raise refused("SDRS.1377", f"no pair is attached to {found.instance.name} as {SYSTEM_DISK}")


async def _check(connection: Connection, caller: Caller, side: _Side) -> None:
    """Raises: SDRS.1353 or 1356, 1367 - 1370, 1372, 1373."""
    server = side.server
    if side.flavor_id is None or await rows.find(connection, Flavor, side.flavor_id, SYSTEM) is None:
        raise refused(side.unknown_flavor, f"flavor {side.flavor_id} does not exist",
                      remedy="Use a flavor that exists.")  # fmt: skip
    if server.dedicated_host_id is None:
        if side.host_id:
            raise refused(side.host_unwanted, f"server {server.name} is not on a dedicated host")
        return
    if not side.host_id:
        raise refused(side.host_missing, f"server {server.name} is on dedicated host {server.dedicated_host_id}")
    await _check_host(connection, caller, side.host_id, server.site)


async def _check_host(connection: Connection, caller: Caller, host_id: str, site: SiteName) -> None:
    """Raises: SDRS.1372, 1373."""
    host = await rows.find(connection, DedicatedHost, host_id, caller.scope)
    if host is None:
        raise refused("SDRS.1372", f"dedicated host {host_id}")
    if host.site != site:
        raise refused("SDRS.1373", f"host {host.name} is at {host.site}, the server at {site}")


def _check_at_rest(side: _Side) -> None:
    """Raises: SDRS.1342 or 1352 unless the server is stopped, SDRS.1376 when it is paid for in advance."""
    server = side.server
    if is_paid_in_advance(server.attributes):
        raise refused("SDRS.1376", f"server {server.name}")
    if server.status is not ServerStatus.SHUTOFF:
        raise refused(side.running, f"server {server.name} ({server.id}) at {server.site} is {server.status}")
