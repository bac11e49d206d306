"""Network interfaces that come and go while a server runs. What QEMU says it has is the truth.

Source: HMP `netdev_add`, `netdev_del`, `device_add`, which take what the command line takes; QMP `device_del`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from opensdrs.domain.errors.kind import Cause, SiteFault
from opensdrs.sites.model import NicSpec, ServerSpec
from opensdrs.sites.qemu.guest import Guest
from opensdrs.sites.qemu.hotplug import unplug
from opensdrs.sites.qemu.netdev import (
    NIC_PREFIX,
    Rule,
    netdev,
    netdev_id,
    nic_device,
    nic_device_id,
    parse_usernet,
    rules_of,
)


@dataclass(frozen=True, slots=True)
class NicPlan:
    """Which NICs of a running server go (QEMU's names) and which come; the primary one stays as it was started."""

    leaving: tuple[str, ...]
    coming: tuple[NicSpec, ...]
    afterwards: tuple[NicSpec, ...]

    def rules(self, spec: ServerSpec) -> set[Rule]:
        """Return the forwards that the new NICs bring along."""
        names = {netdev_id(nic.port_id) for nic in self.coming}
        return {rule for rule in rules_of(spec) if rule.netdev in names}


async def plan_nics(guest: Guest, started: ServerSpec, spec: ServerSpec) -> NicPlan:
    """Compare the NICs that QEMU has with the wanted ones. Raises: SiteFault."""
    present = await _list(guest)
    wanted = {nic_device_id(nic.position): nic for nic in spec.nics if nic.position > 0}
    leaving = (name for name, there in present.items() if name not in wanted or there != _netdev_of(wanted[name]))
    primary = tuple(nic for nic in started.nics if nic.position == 0)
    return NicPlan(
        leaving=tuple(name for name in leaving if name != nic_device_id(0)),
        coming=tuple(nic for name, nic in wanted.items() if present.get(name) != _netdev_of(nic)),
        afterwards=(*primary, *wanted.values()),
    )


async def change_nics(guest: Guest, plan: NicPlan, *, isolated: bool) -> None:
    """Bring the plan about. Raises: SiteFault; calling again goes on from there."""
    for name in plan.leaving:
        await unplug(guest, name)
    await _drop_unused(guest)
    for nic in plan.coming:
        await _tell(guest, f"netdev_add {netdev(nic, isolated)}", Cause.CONFLICT)
        try:
            await _tell(guest, f"device_add {nic_device(nic)}", Cause.FAILED)
        except SiteFault:
            await _drop_unused(guest)
            raise


def united(*groups: Iterable[NicSpec]) -> tuple[NicSpec, ...]:
    """Return the NICs of all groups, each once."""
    return tuple({nic.port_id: nic for group in groups for nic in group}.values())


async def _list(guest: Guest) -> dict[str, str]:
    """Return the network of every NIC that the guest has, by device id."""
    devices = await guest.execute("qom-list", path="/machine/peripheral")
    names = [device["name"] for device in devices if device["name"].startswith(NIC_PREFIX)]
    return {
        name: await guest.execute("qom-get", path=f"/machine/peripheral/{name}", property="netdev") for name in names
    }


async def _drop_unused(guest: Guest) -> None:
    """Remove networks that no NIC of the guest is in: an agent may have died between two commands."""
    in_use = set((await _list(guest)).values())
    for name in sorted(set(parse_usernet(await guest.monitor("info usernet"))) - in_use):
        await _tell(guest, f"netdev_del {name}", Cause.FAILED)


async def _tell(guest: Guest, line: str, cause: Cause) -> None:
    """Execute a line of the monitor, which is silent when it worked."""
    if words := (await guest.monitor(line)).strip():
        raise SiteFault(guest.site, f"{guest.proc.name}: {line.split()[0]}", cause, words)


def _netdev_of(nic: NicSpec) -> str:
    return netdev_id(nic.port_id)
