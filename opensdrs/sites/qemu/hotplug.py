"""Changes to a server while it runs: disks come and go, forwards change (NICs: `hotnics.py`). QEMU knows the truth.

Source: QMP `blockdev-add`, `device_add`, `device_del`, `DEVICE_DELETED`, `block_resize`; HMP `hostfwd_add`,
`hostfwd_remove`, `qemu-io`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.sites.model import NicSpec, ServerSpec
from opensdrs.sites.qemu.guest import Guest
from opensdrs.sites.qemu.machine import DEVICE_PREFIX, NODE_PREFIX, Attachment, block_device, block_node
from opensdrs.sites.qemu.netdev import Rule, netdev_id, parse_usernet
from opensdrs.sites.qemu.qmp import Event

UNPLUG_LIMIT_S = 10.0  # the guest has to let go of the disk


@dataclass(frozen=True, slots=True)
class ForwardPlan:
    """What has to happen to the forwards of a running server."""

    extra: frozenset[Rule]
    missing: frozenset[Rule]

    @property
    def to_probe(self) -> set[Rule]:
        """The missing ones whose address and port this server does not hold itself at the moment."""
        own = {rule.listens_on for rule in self.extra}
        return {rule for rule in self.missing if rule.listens_on not in own}


async def list_disks(guest: Guest) -> dict[str, str]:
    """Return the block node of every disk that the guest has, by device id. Raises: SiteFault."""
    devices = await guest.execute("qom-list", path="/machine/peripheral")
    names = [device["name"] for device in devices if device["name"].startswith(DEVICE_PREFIX)]
    return {
        name: await guest.execute("qom-get", path=f"/machine/peripheral/{name}", property="drive") for name in names
    }


async def plug(guest: Guest, attachment: Attachment) -> None:
    """Attach a disk. Raises: SiteFault; nothing is left of it then."""
    await guest.execute("blockdev-add", **block_node(attachment))
    try:
        await guest.execute("device_add", **block_device(attachment.disk))
    except SiteFault:
        await drop_unused_nodes(guest)
        raise


async def unplug(guest: Guest, device: str) -> None:
    """Detach a disk or NIC and wait until the guest has let go of it. Raises: SiteFault CONFLICT, TIMEOUT."""
    refused: list[Event] = []

    def is_answer(event: Event) -> bool:
        if event.get("data", {}).get("device") != device:
            return False
        if event["event"] == "DEVICE_UNPLUG_GUEST_ERROR":
            refused.append(event)
        return event["event"] in ("DEVICE_DELETED", "DEVICE_UNPLUG_GUEST_ERROR")

    async with guest.expecting(is_answer, f"unplug {device}", UNPLUG_LIMIT_S):
        await _ask_to_unplug(guest, device)
    if refused:
        raise SiteFault(guest.site, f"{guest.proc.name}: unplug", Cause.CONFLICT, f"the guest keeps {device}")


async def drop_unused_nodes(guest: Guest) -> None:
    """Disconnect from volumes that no disk of the guest shows any more. Raises: SiteFault."""
    in_use = set((await list_disks(guest)).values())
    nodes = {node["node-name"] for node in await guest.execute("query-named-block-nodes", flat=True)}
    for node in sorted(nodes - in_use):
        if node.startswith(NODE_PREFIX):
            await guest.execute("blockdev-del", node_name=node)


async def show_sizes(guest: Guest, sizes_bytes: Mapping[str, int]) -> None:
    """Tell the guest of disks (by node) that have grown. Their volumes must be open. Raises: SiteFault.

    A connection learns the size only when it is made: the growth ended it, and a read makes it anew.
    """
    for node in await guest.execute("query-named-block-nodes", flat=True):
        wanted = sizes_bytes.get(node["node-name"], 0)
        if node["image"]["virtual-size"] < wanted:
            await guest.monitor(f'qemu-io {node["node-name"]} "read 0 512"')
            await guest.execute("block_resize", node_name=node["node-name"], size=wanted)


async def plan_forwards(guest: Guest, started: ServerSpec, wanted: set[Rule]) -> ForwardPlan:
    """Compare the forwards that QEMU has with the wanted ones of the NICs it has. Raises: SiteFault."""
    present = parse_usernet(await guest.monitor("info usernet"))
    possible = set() if started.isolated else {rule for rule in wanted if rule.netdev in present}
    existing = {rule for rules in present.values() for rule in rules}
    return ForwardPlan(extra=frozenset(existing - possible), missing=frozenset(possible - existing))


async def apply_forwards(guest: Guest, nics: Iterable[NicSpec], plan: ForwardPlan) -> None:
    """Change the forwards of these NICs. Raises: SiteFault CONFLICT when QEMU cannot make one."""
    addresses = {netdev_id(nic.port_id): nic.ip for nic in nics}
    for rule in sorted(plan.extra):
        await guest.monitor(f"hostfwd_remove {rule.netdev} {rule.listens_on}")
    for rule in sorted(plan.missing):
        target = f"{addresses[rule.netdev]}:{rule.guest_port}"
        # The monitor is silent when it worked.
        if words := (await guest.monitor(f"hostfwd_add {rule.netdev} {rule.listens_on}-{target}")).strip():
            raise SiteFault(guest.site, f"{guest.proc.name}: add forward", Cause.CONFLICT, words)


async def _ask_to_unplug(guest: Guest, device: str) -> None:
    try:
        await guest.execute("device_del", id=device)
    except SiteFault as fault:
        if "already in the process of unplug" not in fault.detail:  # asked before, and the guest may still do it
            raise
