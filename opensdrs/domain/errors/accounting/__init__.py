"""Every row of appendix A.1 accounted for: when OpenSDRS raises it, or why it cannot happen here.

`tests/law/test_error_accounting.py` holds it against the catalogue and against what the tests raise.
"""

from collections.abc import Mapping

from opensdrs.domain.errors.accounting.drills import DRILLS
from opensdrs.domain.errors.accounting.impossible import IMPOSSIBLE as _IMPOSSIBLE
from opensdrs.domain.errors.accounting.instances import INSTANCES
from opensdrs.domain.errors.accounting.pairs import PAIRS
from opensdrs.domain.errors.accounting.requests import REQUESTS
from opensdrs.domain.errors.accounting.tags import TAGS


def _coded(*tables: Mapping[str, str]) -> dict[str, str]:
    return {f"SDRS.{number}": text for table in tables for number, text in table.items()}


RAISED: Mapping[str, str] = _coded(REQUESTS, INSTANCES, PAIRS, DRILLS, TAGS)
IMPOSSIBLE: Mapping[str, str] = _coded(_IMPOSSIBLE)

__all__ = ["IMPOSSIBLE", "RAISED"]
