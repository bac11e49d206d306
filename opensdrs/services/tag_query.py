"""The query language of 5.8.1 as conditions on `instances`; what is wrong with a query has its code.

The four lists of tags (MATRIX B13): `tags` all, `tags_any` one of them, `not_tags` not all, `not_tags_any` none.
"""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from opensdrs.domain.errors import refused
from opensdrs.services.requests import FieldMatch, TagMatch, TagQuery
from opensdrs.store import tables
from opensdrs.store.rows import Where

_MAX_LIMIT = 1000
_MAX_OFFSET = 2**31
_MAX_KEYS = _MAX_VALUES = 10
_KEY_CHARACTERS, _VALUE_CHARACTERS = 127, 255
_FIELD = "resource_name"  # the only one that can be matched
_PADDING = " "


def page_of(wanted: TagQuery) -> tuple[int, int]:
    """Return limit and offset. Raises: SDRS.0222, 2210, 2211, 2220."""
    if wanted.action not in ("filter", "count"):
        raise refused("SDRS.2210")
    if wanted.action == "count":
        if wanted.limit is not None or wanted.offset is not None:
            raise refused("SDRS.2211")
        return 0, 0
    limit = _MAX_LIMIT if wanted.limit is None else _number(wanted.limit, "SDRS.2220")
    if not 1 <= limit <= _MAX_LIMIT:
        raise refused("SDRS.2220", f"limit is {limit}")
    offset = 0 if wanted.offset is None else _number(wanted.offset, "SDRS.0222")
    return limit, min(offset, _MAX_OFFSET)


def _number(given: int | str, code: str) -> int:
    """Return a number that may come as text (CONTRACT T1). Raises: `code`."""
    text = str(given)
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise refused(code, f"it is {text[:20]!r}")
    return int(text)


def conditions(wanted: TagQuery) -> list[Where]:
    """Return what an instance must be. Raises: SDRS.2203 - 2205, 2207, 2209, 2212 - 2219."""
    where = _fields(wanted.matches)
    if every := _tags(wanted.tags):
        where += every
    if some := _tags(wanted.tags_any):
        where.append(sa.or_(*some))
    if not_every := _tags(wanted.not_tags):
        where.append(sa.not_(sa.and_(*not_every)))
    if none := _tags(wanted.not_tags_any):
        where.append(sa.not_(sa.or_(*none)))
    return where


def _fields(matches: Sequence[FieldMatch] | None) -> list[Where]:
    if matches is None:
        return []
    if not matches:
        raise refused("SDRS.2212")
    for match in matches:
        if not match.key.strip():
            raise refused("SDRS.2213")
        if match.key != _FIELD:
            raise refused("SDRS.2214", f"{match.key!r}; only {_FIELD} can be matched")
        if len(match.value) > _VALUE_CHARACTERS:
            raise refused("SDRS.2217", f"at most {_VALUE_CHARACTERS} characters")
    if len(matches) > 1:
        raise refused("SDRS.2215")
    name, value = tables.instances.c.name, matches[0].value
    return [name.icontains(value, autoescape=True) if value else name == ""]


def _tags(matches: Sequence[TagMatch] | None) -> list[Where]:
    """Return one condition per key; an absent or empty list asks for nothing."""
    given = matches or ()
    if len(given) > _MAX_KEYS:
        raise refused("SDRS.2203", f"at most {_MAX_KEYS} keys")
    keys = [_key(match) for match in given]
    if len(set(keys)) != len(keys):
        raise refused("SDRS.2209")
    return [_has(key, _values(match)) for key, match in zip(keys, given, strict=True)]


def _key(match: TagMatch) -> str:
    key = match.key.strip(_PADDING)
    if not key:
        raise refused("SDRS.2205")
    if len(key) > _KEY_CHARACTERS:
        raise refused("SDRS.2204", f"at most {_KEY_CHARACTERS} characters")
    return key


def _values(match: TagMatch) -> list[str]:
    values = [value.strip(_PADDING) for value in match.values or ()]
    if len(values) > _MAX_VALUES:
        raise refused("SDRS.2218", f"at most {_MAX_VALUES} for key {match.key!r}")
    for value in values:
        if len(value) > _VALUE_CHARACTERS:
            raise refused("SDRS.2207", f"at most {_VALUE_CHARACTERS} characters")
        if value and not value.strip("*"):
            raise refused("SDRS.2207", "something has to follow the asterisk")
    if len(set(values)) != len(values):
        raise refused("SDRS.2219", f"for key {match.key!r}")
    return values


def _has(key: str, values: Iterable[str]) -> Where:
    """The instance has the key with one of the values, or with any if there are none."""
    tags = tables.tags
    alike = [
        tags.c.value.icontains(value[1:], autoescape=True) if value.startswith("*") else tags.c.value == value
        for value in values
    ]
    its = [tags.c.instance_id == tables.instances.c.id, tags.c.key == key]
    if alike:
        its.append(sa.or_(*alike))
    return sa.exists().where(*its)
