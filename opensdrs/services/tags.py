"""Tags of protected instances: add, delete, show, and find instances by them. Source: 5.8."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import InstanceId, new_id
from opensdrs.domain.model import Instance, Tag
from opensdrs.domain.statuses import InstanceStatus
from opensdrs.iam.caller import Caller
from opensdrs.services.base import Clock
from opensdrs.services.lookup import get_instance, lock
from opensdrs.services.requests import NewTag, TagChange, TagQuery, UnwantedTag
from opensdrs.services.tag_query import conditions, page_of
from opensdrs.services.text import MAX_TAGS, check_tags
from opensdrs.services.views import InstanceView, view_instances
from opensdrs.store import rows, tables
from opensdrs.store.database import Connection, Database
from opensdrs.store.rows import SYSTEM

_TAGS = tables.tags
# What is not there yet or soon not any more has no tags to change; a broken instance can only lose some (MATRIX A9).
_NO_DELETING = frozenset({InstanceStatus.CREATING, InstanceStatus.DELETING})
_NO_ADDING = _NO_DELETING | {InstanceStatus.ERROR, InstanceStatus.INVALID}


class TagService:
    """Tags of one project's instances at a time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def query(self, caller: Caller, wanted: TagQuery) -> tuple[Sequence[InstanceView], int]:
        """Return a page of the instances that match, newest first, and the number of all matches (MATRIX C4).

        Raises: SDRS.0222, 2203 - 2205, 2207, 2209 - 2220. Source: 5.8.1.
        """
        limit, offset = page_of(wanted)
        where = conditions(wanted)
        async with self._database.read() as connection:
            if wanted.action == "count":
                return [], await rows.count(connection, Instance, caller.scope, *where)
            page, count = await rows.page(connection, Instance, caller.scope, where, limit=limit, offset=offset)
            return await view_instances(connection, page), count

    async def change(self, caller: Caller, instance_id: InstanceId, wanted: TagChange) -> None:
        """Add or delete several tags. Raises: SDRS.2201, 2202 and as `add` or `delete`. Source: 5.8.2, 5.8.3."""
        if wanted.action not in ("create", "delete"):
            raise refused("SDRS.2201")
        if not wanted.tags:
            raise refused("SDRS.2202")
        if wanted.action == "create":
            await self.add(caller, instance_id, [_complete(tag) for tag in wanted.tags])
        else:
            await self._delete(caller, instance_id, wanted.tags)

    async def add(self, caller: Caller, instance_id: InstanceId, new: Sequence[NewTag]) -> None:
        """Add tags; one with the same key is replaced. Idempotent.

        Raises: SDRS.0208, 1320, 2203 - 2205, 2207, 2209, 2221. Source: 5.8.2, 5.8.4.
        """
        check_tags(new)
        async with self._database.write() as connection:
            instance = await _locked(connection, caller, instance_id, _NO_ADDING, "SDRS.2221")
            present = {row.key: row for row in await rows.select(connection, Tag, SYSTEM, _of(instance))}
            if len(present.keys() | {tag.key for tag in new}) > MAX_TAGS:
                raise refused("SDRS.2203", f"{instance.name} has {len(present)}, and at most {MAX_TAGS} are possible")
            for tag in new:
                await _put(connection, instance, tag, present)

    async def delete(self, caller: Caller, instance_id: InstanceId, key: str) -> None:
        """Delete a tag that is there. Raises: SDRS.0208, 1320, 2205, 2206, 2222. Source: 5.8.5."""
        if not await self._delete(caller, instance_id, [UnwantedTag(key=key)]):
            raise refused("SDRS.2206", f"no tag {key!r}", remedy="List the tags of the protected instance.")

    async def _delete(self, caller: Caller, instance_id: InstanceId, unwanted: Sequence[UnwantedTag]) -> int:
        """Delete those that are there; return how many. Raises: SDRS.0208, 1320, 2203, 2205, 2222."""
        if len(unwanted) > MAX_TAGS:
            raise refused("SDRS.2203", f"at most {MAX_TAGS}, not {len(unwanted)}")
        if not all(tag.key.strip() for tag in unwanted):
            raise refused("SDRS.2205")
        named = [
            _TAGS.c.key == tag.key if tag.value is None else sa.and_(_TAGS.c.key == tag.key, _TAGS.c.value == tag.value)
            for tag in unwanted
        ]
        async with self._database.write() as connection:
            instance = await _locked(connection, caller, instance_id, _NO_DELETING, "SDRS.2222")
            return await rows.delete_where(connection, Tag, _of(instance), sa.or_(*named))

    async def list(self, caller: Caller, instance_id: InstanceId) -> Sequence[Tag]:
        """Return an instance's tags by key. Raises: SDRS.0208, 1320. Source: 5.8.6."""
        async with self._database.read() as connection:
            instance = await get_instance(connection, caller, instance_id)
            tags = await rows.select(connection, Tag, SYSTEM, _of(instance))
        return sorted(tags, key=lambda tag: tag.key)

    async def list_all(self, caller: Caller) -> Mapping[str, Sequence[str]]:
        """Return every key of the project with its values, both sorted. Source: 5.8.7."""
        query = sa.select(_TAGS.c.key, _TAGS.c.value).where(*caller.scope.apply(_TAGS)).distinct()
        found: dict[str, list[str]] = defaultdict(list)
        async with self._database.read() as connection:
            for key, value in sorted((row[0], row[1]) for row in await connection.execute(query)):
                found[key].append(value)
        return found


def _of(instance: Instance) -> sa.ColumnElement[bool]:
    return _TAGS.c.instance_id == instance.id


def _complete(tag: UnwantedTag) -> NewTag:
    if tag.value is None:
        raise refused("SDRS.2208", f"tag {tag.key!r} has no value", remedy="An empty string is possible.")
    return NewTag(key=tag.key, value=tag.value)


async def _locked(
    connection: Connection, caller: Caller, instance_id: InstanceId, forbidden: Collection[str], code: str
) -> Instance:
    """Return the instance, held. Raises: SDRS.0208, 1320, `code` in a forbidden status."""
    await get_instance(connection, caller, instance_id)
    await lock(connection, Instance, instance_id)
    instance = await get_instance(connection, caller, instance_id)
    if instance.status in forbidden:
        raise refused(code, f"protected instance {instance.name} is {instance.status}")
    return instance


async def _put(connection: Connection, instance: Instance, tag: NewTag, present: Mapping[str, Tag]) -> None:
    if tag.key in present:
        await rows.update(connection, Tag, present[tag.key].id, value=tag.value)
        return
    row = Tag(id=new_id(), project_id=instance.project_id, instance_id=instance.id, key=tag.key, value=tag.value)
    await rows.insert(connection, row)
