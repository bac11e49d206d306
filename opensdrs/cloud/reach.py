"""Reach a site by its name, with a time limit on every call: nothing of the cloud waits for a silent site for ever."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from opensdrs.cloud.checks import invalid
from opensdrs.domain.errors import Cause, SiteFault
from opensdrs.domain.ids import SiteName
from opensdrs.sites.base import Site
from opensdrs.sites.model import SHUTDOWN_GRACE_S

SERVER_S = 30.0  # hot-plugging a disk waits for the guest
POWER_S = SHUTDOWN_GRACE_S + 50.0  # a start on an emulated processor takes a while
VOLUME_S = 300.0  # a volume may be copied from an image
QUESTION_S = 5.0  # a look at the present state
GLANCE_S = 2.0  # the same for lists, which do without an answer

Sites = Mapping[SiteName, Site]


@asynccontextmanager
async def reach(sites: Sites, name: SiteName, verb: str, timeout_s: float) -> AsyncIterator[Site]:
    """Give the site's driver for one call. Raises: SiteFault TIMEOUT after `timeout_s`, NOT_FOUND for no such site."""
    site = sites.get(name)
    if site is None:
        raise SiteFault(name, verb, Cause.NOT_FOUND, "no such site is configured")
    try:
        async with asyncio.timeout(timeout_s):
            yield site
    except TimeoutError as error:
        raise SiteFault(name, verb, Cause.TIMEOUT, f"no answer within {timeout_s:g} s") from error


def check_site(sites: Sites, name: str) -> SiteName:
    """Return a site's name that a user gave. Raises: OPENSDRS.0400."""
    if name not in sites:
        raise invalid("availability_zone", f"{name!r} is not one of {', '.join(sorted(sites))}")
    return SiteName(name)
