"""The network between emulated sites: one object that can be cut and restored."""

from typing import Protocol

from opensdrs.domain.ids import PairId, SiteName
from opensdrs.sites.memory_disk import DiskVolume


class Endpoint(Protocol):
    """What a site offers to the link."""

    def find_replica(self, pair_id: PairId, epoch: int) -> DiskVolume | None:
        """Return the copy that a writer of `epoch` may write to, or None."""
        ...

    def notice_link(self) -> None:
        """The link, or the site at its other end, may have changed."""
        ...


class MemoryLink:
    """Connects the sites that were built with it. A cut link is silent: nothing fails, nothing arrives."""

    def __init__(self) -> None:
        self._endpoints: dict[SiteName, Endpoint] = {}
        self.is_up = True

    def join(self, name: SiteName, endpoint: Endpoint) -> None:
        """Attach a site. A later one of the same name takes its place."""
        self._endpoints[name] = endpoint

    def cut(self) -> None:
        """Pull the cable."""
        self.is_up = False
        self.tell()

    def restore(self) -> None:
        """Plug the cable in again."""
        self.is_up = True
        self.tell()

    def find_replica(self, peer: SiteName, pair_id: PairId, epoch: int) -> DiskVolume | None:
        """Return the peer's copy of a pair if it can be written to just now."""
        endpoint = self._endpoints.get(peer)
        if not self.is_up or endpoint is None:
            return None
        return endpoint.find_replica(pair_id, epoch)

    def tell(self) -> None:
        """Have every site look again at what it can reach."""
        for endpoint in self._endpoints.values():
            endpoint.notice_link()
