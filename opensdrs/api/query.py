"""Query strings to filters. List parameters come in five dialects (MATRIX B6); limits and offsets: MATRIX A16, A17."""

import re
from datetime import UTC, datetime
from urllib.parse import parse_qs

from opensdrs.domain.errors import refused
from opensdrs.domain.ids import GroupId, InstanceId, VolumeId, VpcId, is_id_shaped
from opensdrs.services.requests import FailureFilter, Filter, RpoFilter
from opensdrs.services.rpo import COUNTS

_MAX_LIMIT = 1000
_MAX_OFFSET = 2**31
_MAX_IDS = 30
_ID_TOKENS = re.compile(r"[^\[\]\s,'\"]+")
_NOTHING = "-"  # no id looks like this


class Query:
    """The query of a request; the first value counts, an empty one is as good as none."""

    def __init__(self, query_string: str) -> None:
        self._values = parse_qs(query_string, keep_blank_values=True)

    def text(self, name: str) -> str | None:
        """Raises: SDRS.0201 for a NUL character."""
        value = self._values.get(name, [""])[0]
        if "\x00" in value:
            raise refused("SDRS.0201", f"{name} contains a NUL character")
        return value or None

    def id(self, name: str, code: str) -> str | None:
        """Raises: `code` for a value that is not an id."""
        value = self.text(name)
        if value is not None and not is_id_shaped(value):
            raise refused(code, f"{name} is not an id of 36 or 32 characters")
        return value

    def ids(self, name: str) -> tuple[str, ...]:
        """Return ids given as a JSON array, with single quotes, as repeated keys or separated by commas.

        Only valid ids count (5.5.3); if there is none among those given, nothing matches. Raises: SDRS.0226.
        """
        given = [token for value in self._values.get(name, []) for token in _ID_TOKENS.findall(value)]
        if len(given) > _MAX_IDS:
            raise refused("SDRS.0226", f"{name} has {len(given)}")
        valid = tuple(token for token in given if is_id_shaped(token))
        return valid or ((_NOTHING,) if given else ())

    def limit(self) -> int:
        """Return the limit; 0 means the default. Raises: SDRS.0221."""
        value = self._number("limit", "SDRS.0221", _MAX_LIMIT)
        if value > _MAX_LIMIT:
            raise refused("SDRS.0221", f"limit is {value}")
        return value or _MAX_LIMIT

    def offset(self) -> int:
        """Raises: SDRS.0222."""
        return min(self._number("offset", "SDRS.0222", 0), _MAX_OFFSET)

    def time(self, name: str) -> float | None:
        """Return a time like `2019-04-01 12:00:00.000`, UTC, as seconds since the Unix epoch. Raises: SDRS.0201."""
        value = self.text(name)
        if value is None:
            return None
        try:
            time = datetime.fromisoformat(value)
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError) as error:
            raise refused("SDRS.0201", f"{name} is not like 2019-04-01 12:00:00.000") from error

    def _number(self, name: str, code: str, default: int) -> int:
        value = self.text(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit() and len(value) < 20):
            raise refused(code, f"{name} is {value[:20]!r}")
        return int(value)

    def marker(self) -> str | None:
        """Raises: SDRS.0201."""
        return self.id("marker", "SDRS.0201")


def read_filter(query: Query) -> Filter:
    """Return the filter of a list of groups, instances, pairs or drills. A list parameter wins over the single one.

    Raises: SDRS.0201, 0204, 0207, 0208, 0211, 0221, 0222, 0226.
    """
    group_id = query.id("server_group_id", "SDRS.0207")
    instance_id = query.id("protected_instance_id", "SDRS.0208")
    group_ids = query.ids("server_group_ids") or ((group_id,) if group_id else ())
    instance_ids = query.ids("protected_instance_ids") or ((instance_id,) if instance_id else ())
    volume_id = query.id("volume_id", "SDRS.0211")
    drill_vpc_id = query.id("drill_vpc_id", "SDRS.0204")
    return Filter(
        limit=query.limit(),
        offset=query.offset(),
        marker=query.marker(),
        status=query.text("status"),
        name=query.text("name"),
        query_type=query.text("query_type"),
        availability_zone=query.text("availability_zone"),
        group_ids=tuple(GroupId(text) for text in group_ids),
        instance_ids=tuple(InstanceId(text) for text in instance_ids),
        volume_id=VolumeId(volume_id) if volume_id else None,
        drill_vpc_id=VpcId(drill_vpc_id) if drill_vpc_id else None,
    )


def read_rpo_filter(query: Query) -> RpoFilter:
    """Return which part of the history is wanted; of pairs unless said. Raises: SDRS.0201, 0221, 0222."""
    resource_type = query.text("resource_type") or "replication"
    if resource_type not in COUNTS:
        raise refused("SDRS.0201", f"resource_type is one of {', '.join(COUNTS)}")
    start, end = query.time("start_time"), query.time("end_time")
    if start is not None and end is not None and start > end:
        raise refused("SDRS.0201", "start_time is after end_time")
    return RpoFilter(resource_type=resource_type, limit=query.limit(), offset=query.offset(), start=start, end=end)


def read_failure_filter(query: Query) -> FailureFilter:
    """Return the filter of the task centre. Raises: SDRS.0201, 0207, 0221, 0222."""
    group_id = query.id("server_group_id", "SDRS.0207")
    return FailureFilter(
        limit=query.limit(),
        offset=query.offset(),
        marker=query.marker(),
        failure_status=query.text("failure_status"),
        resource_name=query.text("resource_name"),
        resource_type=query.text("resource_type"),
        group_id=GroupId(group_id) if group_id else None,
    )
