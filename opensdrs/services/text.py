"""The rules for names, descriptions and tags. Source: 5.4.1, Table 5-17; lengths of names are bytes (MATRIX B8)."""

import re
from collections.abc import Sequence

from opensdrs.domain.errors import refused
from opensdrs.services.requests import NewTag

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NAME_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,59}")
_TAG_FORBIDDEN = re.compile(r"[\x00-\x1f*<>\\=,|/]")
_DESCRIPTION_BYTES = 64
REPLICATION_MODEL = "hypermetro"  # synchronous replication
MAX_TAGS = 10
_TAG_KEY_CHARACTERS = 36
_TAG_VALUE_CHARACTERS = 43


def check_name(name: str) -> None:
    """Raises: SDRS.0202."""
    if _NAME.fullmatch(name) is None:
        raise refused(
            "SDRS.0202",
            "it has 1 to 64 letters, digits, points, underscores and hyphens",
            remedy="Choose another name.",
        )


def check_name_prefix(prefix: str) -> None:
    """Raises: SDRS.0202."""
    if _NAME_PREFIX.fullmatch(prefix) is None:
        raise refused(
            "SDRS.0202",
            "the prefix has 1 to 59 letters, digits, points, underscores and hyphens",
            remedy="Choose another prefix.",
        )


def check_description(description: str | None) -> None:
    """Raises: SDRS.0212."""
    if description is None:
        return
    if len(description.encode()) > _DESCRIPTION_BYTES or "<" in description or ">" in description:
        raise refused("SDRS.0212", f"it has at most {_DESCRIPTION_BYTES} bytes, without < and >")


def check_replication_model(model: str | None) -> None:
    """Raises: SDRS.0224 for anything but the one model there is; answers show it, so it may come back (5.6.3)."""
    if model not in (None, "", REPLICATION_MODEL):
        raise refused("SDRS.0224", f"it is {REPLICATION_MODEL}")


def check_tags(tags: Sequence[NewTag]) -> None:
    """Raises: SDRS.2203, SDRS.2204, SDRS.2205, SDRS.2207, SDRS.2209."""
    if len(tags) > MAX_TAGS:
        raise refused("SDRS.2203", f"at most {MAX_TAGS}, not {len(tags)}")
    for tag in tags:
        _check_tag(tag)
    if len({tag.key for tag in tags}) != len(tags):
        raise refused("SDRS.2209")


def _check_tag(tag: NewTag) -> None:
    if not tag.key.strip():
        raise refused("SDRS.2205")
    if len(tag.key) > _TAG_KEY_CHARACTERS or _TAG_FORBIDDEN.search(tag.key):
        raise refused("SDRS.2204", f"at most {_TAG_KEY_CHARACTERS} characters, none of * < > \\ = , | /")
    if len(tag.value) > _TAG_VALUE_CHARACTERS or _TAG_FORBIDDEN.search(tag.value):
        raise refused("SDRS.2207", f"at most {_TAG_VALUE_CHARACTERS} characters, none of * < > \\ = , | /")
