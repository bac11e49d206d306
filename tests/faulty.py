"""A site that fails on request: a wrapper around any driver, so that no test patches one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from opensdrs.domain.errors import Cause, SiteFault
from opensdrs.domain.ids import SiteName
from opensdrs.sites.base import Site


@dataclass(frozen=True, slots=True)
class Fault:
    """`verb` fails for `cause`, where `when` is true of its first argument."""

    verb: str
    cause: Cause = Cause.FAILED
    when: Callable[[Any], bool] = lambda _argument: True


@dataclass(slots=True)
class FaultySite:
    """Everything goes to `site`, except what a fault in `faults` names."""

    site: Site
    faults: list[Fault] = field(default_factory=list)

    @property
    def name(self) -> SiteName:
        return self.site.name

    def __getattr__(self, verb: str) -> Any:
        method = getattr(self.site, verb)

        async def call(*args: Any) -> Any:
            for fault in self.faults:
                if fault.verb == verb and fault.when(args[0] if args else None):
                    raise SiteFault(self.name, verb, fault.cause, "as the test wants it")
            return await method(*args)

        return call if callable(method) and verb.islower() and not verb.startswith("_") else method
