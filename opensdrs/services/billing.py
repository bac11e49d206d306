"""How a server or a disk is paid for: what is paid for in advance is not deleted along with something else."""

from collections.abc import Mapping
from typing import Any

_IN_ADVANCE = frozenset({"prePaid", "yearly", "monthly", "yearly/monthly"})


def is_paid_in_advance(attributes: Mapping[str, Any]) -> bool:
    """Whether the attributes of a server or disk say that it is billed by the year or month."""
    return attributes.get("billing") in _IN_ADVANCE
