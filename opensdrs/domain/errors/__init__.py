"""The error catalogue: every code of the API reference, one row each.

`kind("SDRS.1013")` looks a row up; `CATALOGUE` holds them all. Codes of our own, for what the reference has no word
for, start with `OPENSDRS.` and stand in `own.py`.
"""

from opensdrs.domain.errors.common import COMMON
from opensdrs.domain.errors.drills import DRILLS
from opensdrs.domain.errors.groups import GROUPS
from opensdrs.domain.errors.instances import INSTANCES
from opensdrs.domain.errors.kind import Cause, ErrorKind, Refused, SiteFault, Superseded
from opensdrs.domain.errors.own import OWN
from opensdrs.domain.errors.pairs import PAIRS
from opensdrs.domain.errors.provisioning import PROVISIONING
from opensdrs.domain.errors.tags import TAGS

REFERENCE: tuple[ErrorKind, ...] = COMMON + GROUPS + INSTANCES + PROVISIONING + PAIRS + DRILLS + TAGS
CATALOGUE: dict[str, ErrorKind] = {row.code: row for row in REFERENCE + OWN}


def kind(code: str) -> ErrorKind:
    """Return the catalogue's row for `code`; an unknown code is a bug (KeyError)."""
    return CATALOGUE[code]


def refused(code: str, detail: str = "", *, remedy: str = "") -> Refused:
    """Build the refusal for `code`: `raise refused("SDRS.1013", f"group {group_id}")`."""
    return Refused(CATALOGUE[code], detail, remedy=remedy)


__all__ = ["CATALOGUE", "REFERENCE", "Cause", "ErrorKind", "Refused", "SiteFault", "Superseded", "kind", "refused"]
