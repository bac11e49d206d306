"""The replicas of an emulated site's groups: whether a mirror can be started, and what one remembers is void."""

from collections.abc import Iterable

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.domain.ids import SiteName
from opensdrs.sites.memory_disk import MemoryDisk
from opensdrs.sites.memory_link import MemoryLink
from opensdrs.sites.model import GroupSpec, Mode, PairSpec


def check_replicas(
    site: SiteName, link: MemoryLink, disk: MemoryDisk, spec: GroupSpec, missing: Iterable[PairSpec]
) -> None:
    """A mirror that has to be started or resumed needs its replica now; one that stands may wait for the link.

    Raises: SiteFault UNREACHABLE, CONFLICT.
    """
    for pair in missing:
        replica = link.find_replica(spec.peer, pair.pair_id, spec.epoch)
        if replica is None:
            detail = f"{spec.peer} does not offer the replica of volume {pair.volume_id}"
            raise SiteFault(site, "ensure_group", Cause.UNREACHABLE, detail)
        if replica.blocks.size_bytes < disk.volumes[pair.volume_id].blocks.size_bytes:
            detail = f"the replica of volume {pair.volume_id} at {spec.peer} is smaller"
            raise SiteFault(site, "ensure_group", Cause.CONFLICT, detail)


def count_replica_runs(disk: MemoryDisk, before: GroupSpec, after: GroupSpec) -> None:
    """Note which volumes become replicas: what a mirror remembered of an earlier run is void."""
    if after.mode is not Mode.REPLICA:
        return
    was_replica = {pair.volume_id for pair in before.pairs} if before.mode is Mode.REPLICA else set()
    for pair in after.pairs:
        if pair.volume_id not in was_replica:
            disk.volumes[pair.volume_id].replica_run += 1
