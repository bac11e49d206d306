"""What the Site contract suite needs of an implementation besides the Site protocol: data in, data out, and trouble.

A harness owns two sites, `az1` and `az2`, that are each other's peer, with an image named `blank-image` (1 MiB of a
known pattern, see `IMAGE_BYTES`) at both. It is an async context manager: leaving it leaves nothing running.
"""

from typing import Protocol

from opensdrs.domain.ids import VolumeId
from opensdrs.sites.base import Site

IMAGE_NAME = "blank-image"
IMAGE_BYTES = bytes(range(256)) * 4096


class Harness(Protocol):
    """Two sites and the means to hurt them."""

    has_servers: bool  # whether servers really boot (memory: state only)

    def site(self, name: str) -> Site:
        """Return a site; after `restart*` the object may be another one."""
        ...

    async def write(self, site: str, volume_id: VolumeId, offset: int, data: bytes) -> None:
        """Write as a guest would: through the volume's export, waiting as long as the site makes a guest wait.

        Returns when the write (with FUA) was acknowledged; raises OSError when the site refuses it.
        """
        ...

    async def read_copy(self, site: str, volume_id: VolumeId, offset: int, length: int) -> bytes:
        """Read what this site's own copy holds, in any mode, also when nothing is exported."""
        ...

    async def cut_link(self) -> None:
        """Silence the link between the sites, as a pulled cable would."""
        ...

    async def restore_link(self) -> None:
        """Plug the cable in again."""
        ...

    async def crash(self, site: str) -> None:
        """Kill every process of a site at once, as a power cut would."""
        ...

    async def restart(self, site: str) -> None:
        """Bring a crashed site back."""
        ...

    async def restart_agent(self, site: str) -> None:
        """Kill only what drives the site (not its daemons and servers) and start it again."""
        ...
