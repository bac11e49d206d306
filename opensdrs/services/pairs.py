"""Replication pairs: create, show, list, rename, delete. Source: 5.6."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from opensdrs.cloud.protection import find_pair
from opensdrs.domain.errors import refused
from opensdrs.domain.ids import JobId, PairId
from opensdrs.domain.infrastructure import Attachment, Volume, VolumeStatus
from opensdrs.domain.model import Group, Pair, PairAttachment
from opensdrs.domain.operations import BY_JOB_TYPE, JobType, Operation, Resource
from opensdrs.domain.statuses import PairStatus, Station
from opensdrs.iam.caller import Caller
from opensdrs.jobs.admission import admit
from opensdrs.jobs.outbox import Outbox
from opensdrs.services.base import Clock, Service
from opensdrs.services.billing import is_paid_in_advance
from opensdrs.services.copies import check_cluster_id, check_disk, check_not_in_drill, check_pool, insert_pair
from opensdrs.services.listing import basic, check_query_type, of_groups
from opensdrs.services.lookup import check_group_status, check_id, get_pair, lock_group, lock_volume
from opensdrs.services.quotas import Quotas
from opensdrs.services.requests import Filter, NewPair, PairDeletion
from opensdrs.services.text import check_description, check_name, check_replication_model
from opensdrs.services.views import PairView, view_pairs
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection, Database
from opensdrs.store.rows import SYSTEM, Where


class PairService(Service):
    """Replication pairs of one project at a time."""

    def __init__(self, database: Database, outbox: Outbox, clock: Clock, quotas: Quotas) -> None:
        super().__init__(database, outbox, clock)
        self._quotas = quotas

    async def create(self, caller: Caller, wanted: NewPair) -> JobId:
        """Admit a pair for a disk that no server uses.

        Raises: SDRS.0202, 0207, 0211, 0212, 0218, 0224, 0225, 0306, 1002, 1013, 1381 - 1386, 1801, 1802, 1810, 1811,
        1825, 1826, 1831. Source: 5.6.1.
        """
        check_name(wanted.name)
        check_description(wanted.description)
        check_replication_model(wanted.replication_model)
        check_id(wanted.server_group_id, "SDRS.0207", "server_group_id")
        check_id(wanted.volume_id, "SDRS.0211", "volume_id")
        check_cluster_id(wanted.cluster_id)
        async with self._admitting() as connection:
            group = await lock_group(connection, caller, wanted.server_group_id)
            volume = await lock_volume(connection, caller, wanted.volume_id)
            check_group_status(group, JobType.CREATE_PAIR)
            await _check_free(connection, group, volume)
            await check_pool(connection, caller, group, wanted.cluster_id, [volume])
            await self._quotas.check(connection, caller, Resource.PAIR)
            await self._quotas.check_unattached(connection, caller)
            pair, _ = await insert_pair(
                connection,
                group=group,
                volume=volume,
                name=wanted.name,
                description=wanted.description,
                storage_pool_id=wanted.cluster_id,
                now=self._clock(),
            )
            return await admit_pair_operation(connection, caller, pair, BY_JOB_TYPE[JobType.CREATE_PAIR], {})

    async def get(self, caller: Caller, pair_id: PairId) -> PairView:
        """Raises: SDRS.0213, SDRS.1608. Source: 5.6.4."""
        async with self._database.read() as connection:
            return (await view_pairs(connection, [await get_pair(connection, caller, pair_id)]))[0]

    async def list(self, caller: Caller, wanted: Filter) -> tuple[Sequence[PairView], int]:
        """Return a page, newest first, and the number of all matches. Raises: SDRS.0201. Source: 5.6.3."""
        check_query_type(wanted.query_type, ("status_abnormal",))
        async with self._database.read() as connection:
            page, count = await rows.page(
                connection, Pair, caller.scope, _conditions(wanted),
                limit=wanted.limit, offset=wanted.offset, marker=wanted.marker,
            )  # fmt: skip
            return await view_pairs(connection, page), count

    async def rename(self, caller: Caller, pair_id: PairId, name: str) -> PairView:
        """Raises: SDRS.0202, 0213, 1608. Source: 5.6.6."""
        check_name(name)
        async with self._database.write() as connection:
            pair = await get_pair(connection, caller, pair_id)
            await rows.update(connection, Pair, pair.id, name=name, updated_at=self._clock())
        return await self.get(caller, pair_id)

    async def delete(self, caller: Caller, pair_id: PairId, wanted: PairDeletion) -> JobId:
        """Admit the deletion of a detached pair; the DR disk stays unless asked for.

        Raises: SDRS.0207, 0213, 1002, 1601, 1605, 1608, 1611, 1809, 1827. Source: 5.6.2.
        """
        operation = BY_JOB_TYPE[JobType.DELETE_PAIR]
        async with self._admitting() as connection:
            found = await get_pair(connection, caller, pair_id)
            if wanted.server_group_id:
                check_id(wanted.server_group_id, "SDRS.0207", "server_group_id")
                if wanted.server_group_id != found.group_id:
                    raise refused("SDRS.1611", f"pair {found.name} is in group {found.group_id}")
            group = await lock_group(connection, caller, found.group_id)
            pair = await get_pair(connection, caller, pair_id)
            check_group_status(group, JobType.DELETE_PAIR)
            check_pair_status(pair, operation)
            if await rows.count(connection, PairAttachment, SYSTEM, tables.pair_attachments.c.pair_id == pair.id):
                raise refused("SDRS.1605", f"pair {pair.name}", remedy="Detach it from its protected instance first.")
            if wanted.delete_target_volume:
                await _check_target(connection, group, pair)
            await rows.move(connection, Pair, pair.id, operation.allowed, operation.pending, updated_at=self._clock())
            params = {"delete_target_volume": bool(wanted.delete_target_volume)}
            return await admit_pair_operation(connection, caller, pair, operation, params)


async def admit_pair_operation(
    connection: Connection,
    caller: Caller,
    pair: Pair,
    operation: Operation,
    params: Mapping[str, object],
    entities: Mapping[str, str] | None = None,
) -> JobId:
    """Insert the job of an operation on a pair; its entities are strings only (CONTRACT 0.3)."""
    return await admit(
        connection,
        operation=operation,
        project_id=caller.project_id,
        request_id=caller.request_id,
        resource_id=pair.id,
        resource_name=pair.name,
        group_id=pair.group_id,
        params=params,
        entities={"replication_pair_id": pair.id, **(entities or {})},
    )


def check_pair_status(pair: Pair, operation: Operation) -> None:
    """Raises: SDRS.1601; SDRS.1606 when the pair could not even be created."""
    if pair.status not in operation.allowed:
        if pair.status is PairStatus.ERROR:
            raise refused("SDRS.1606", f"pair {pair.name}", remedy="Delete it.")
        raise refused(
            operation.refusal,
            f"pair {pair.name} is {pair.status}",
            remedy=f"To {operation.action} it, it must be {', '.join(sorted(operation.allowed))}.",
        )


async def _check_free(connection: Connection, group: Group, volume: Volume) -> None:
    """Raises: SDRS.0225, 1801, 1802, 1810, 1811, 1825, 1831."""
    await check_not_in_drill(connection, volume)
    check_disk(group, volume)
    pair = await find_pair(connection, volume.id)
    if pair is not None:
        raise refused("SDRS.1811", f"disk {volume.id} belongs to pair {pair.name}")
    attached = await rows.count(connection, Attachment, SYSTEM, tables.attachments.c.volume_id == volume.id)
    if volume.status is not VolumeStatus.AVAILABLE or attached:
        raise refused("SDRS.1801", f"disk {volume.id} is {volume.status}", remedy="Detach it from its server first.")


async def _check_target(connection: Connection, group: Group, pair: Pair) -> None:
    """Raises: SDRS.1809, SDRS.1827, SDRS.1828 when the DR disk must stay."""
    if group.priority_station is not Station.SOURCE:
        raise refused("SDRS.1809", f"the disk at {group.target_site} is in production now")
    volume = await rows.find(connection, Volume, pair.target_volume_id, SYSTEM)
    if volume is not None and is_paid_in_advance(volume.attributes):
        raise refused("SDRS.1827", f"disk {volume.id}")
    if volume is not None and volume.attributes.get("frozen"):
        raise refused("SDRS.1828", f"disk {volume.id}")


def _conditions(wanted: Filter) -> list[Where]:
    pairs, links = tables.pairs, tables.pair_attachments
    where = [*basic(pairs, wanted, PairStatus), *of_groups(pairs, wanted)]
    if wanted.instance_ids:
        where.append(pairs.c.id.in_(sa.select(links.c.pair_id).where(links.c.instance_id.in_(wanted.instance_ids))))
    if wanted.volume_id:
        where.append((pairs.c.source_volume_id == wanted.volume_id) | (pairs.c.target_volume_id == wanted.volume_id))
    return where
