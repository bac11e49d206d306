"""The network interfaces of a server: QEMU's user-mode network (slirp), one per NIC, and its port forwards.

Pure text: what goes on the command line and what the monitor is told and answers. Slirp gives the first client of its
DHCP server `dhcpstart`, and a NIC is alone in its network, so the guest gets exactly the NIC's `ip`.

Source: QEMU manual, `-netdev user`; HMP `hostfwd_add`, `hostfwd_remove`, `info usernet`.
"""

import errno
import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from opensdrs.domain.ids import PortId
from opensdrs.sites.model import Forward, NicSpec, ServerSpec

# A NIC's place follows from its position, so that the guest's name of it is the same at both sites. The primary one is
# on pcie.0 (enp0s16), where nothing can be plugged while the guest runs; each other one has a root port of its own.
PRIMARY_SLOT = 0x10
NIC_POSITIONS = range(8)
NIC_PREFIX = "nic-"

_RULE = re.compile(r"^\s*TCP\[HOST_FORWARD\]\s+\d+\s+(\S+)\s+(\d+)\s+\S+\s+(\d+)\s", re.MULTILINE)
_NETDEV = re.compile(r"^Hub -?\d+ \(([^)]+)\):\s*$", re.MULTILINE)  # lines end in CR LF
_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """One forward of one NIC, as QEMU knows it."""

    netdev: str
    address: str
    port: int
    guest_port: int

    @property
    def listens_on(self) -> str:
        """The host's end, in QEMU's notation."""
        return f"tcp:{self.address}:{self.port}"


def netdev_id(port_id: PortId) -> str:
    """Return the name QEMU knows a NIC's network by."""
    return f"net-{port_id}"


def nic_args(spec: ServerSpec) -> list[str]:
    """Return the arguments that give a server its NICs. Raises: ValueError when a NIC's addresses cannot work."""
    arguments: list[str] = []
    for nic in spec.nics:
        arguments += ["-netdev", netdev(nic, spec.isolated), "-device", nic_device(nic)]
    return arguments


def nic_device_id(position: int) -> str:
    """Return QEMU's name of the NIC in a place: `nic-1`."""
    return f"{NIC_PREFIX}{position}"


def nic_port_id(position: int) -> str:
    """Return the name of the root port of the NIC in a place above 0."""
    return f"port-{nic_device_id(position)}"


def nic_device(nic: NicSpec) -> str:
    """Return the device of a NIC, for the command line and for `device_add`."""
    place = f"bus={nic_port_id(nic.position)}" if nic.position else f"bus=pcie.0,addr={PRIMARY_SLOT:x}"
    name = f"id={nic_device_id(nic.position)},netdev={netdev_id(nic.port_id)},mac={nic.mac}"
    # No option ROM: servers boot from their disk, and loading iPXE only costs time.
    return f"virtio-net-pci,{name},{place},disable-legacy=on,romfile="


def rules_of(spec: ServerSpec) -> set[Rule]:
    """Return the forwards a server shall have; none when it is isolated."""
    if spec.isolated:
        return set()
    return {_rule(nic, forward) for nic in spec.nics for forward in nic.forwards}


def parse_usernet(text: str) -> dict[str, set[Rule]]:
    """Return the forwards of every network that `info usernet` shows."""
    parts = _NETDEV.split(text)[1:]
    return {
        name: {
            Rule(name, "0.0.0.0" if host == "*" else host, int(port), int(to)) for host, port, to in _RULE.findall(rest)
        }
        for name, rest in zip(parts[::2], parts[1::2], strict=True)
    }


def find_unusable(rules: Iterable[Rule]) -> str | None:
    """Say which forward cannot be made because the host's address and port are not free; None if all can.

    QEMU's own message names the rule but not the reason.
    """
    for rule in sorted(rules):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            # As slirp does it: old connections in TIME_WAIT do not count, a listener does.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((rule.address, rule.port))
            except OSError as exc:
                return f"forward {rule.address}:{rule.port} to port {rule.guest_port}: {_reason(exc)}"
    return None


def check_nics(spec: ServerSpec) -> None:
    """Check what QEMU would refuse. Raises: ValueError that says which NIC and why."""
    for nic in spec.nics:
        netdev(nic, spec.isolated)
        if nic.position not in NIC_POSITIONS:
            raise ValueError(f"NIC {nic.port_id}: position {nic.position} is not 0 to {NIC_POSITIONS[-1]}")
    if len({nic.position for nic in spec.nics}) != len(spec.nics):
        raise ValueError("two NICs have the same position")
    if len({nic.port_id for nic in spec.nics}) != len(spec.nics):
        raise ValueError("two NICs have the same port id")
    listeners = [rule.listens_on for rule in rules_of(spec)]
    if len(set(listeners)) != len(listeners):
        raise ValueError("two forwards want the same address and port")


def netdev(nic: NicSpec, isolated: bool) -> str:
    """Return the network of a NIC, for the command line and for `netdev_add`. Raises: ValueError."""
    try:
        network = ipaddress.IPv4Network(nic.cidr, strict=False)
        ip, gateway = ipaddress.IPv4Address(nic.ip), ipaddress.IPv4Address(nic.gateway)
        for forward in nic.forwards:
            ipaddress.IPv4Address(forward.address)
    except ValueError as exc:
        raise ValueError(f"NIC {nic.port_id}: {exc}") from exc
    if not re.fullmatch(r"[A-Za-z0-9._-]+", nic.port_id) or not _MAC.fullmatch(nic.mac):
        raise ValueError(f"NIC {nic.port_id}: port id or MAC address {nic.mac!r} is malformed")
    if ip == gateway or ip not in network or gateway not in network:
        raise ValueError(f"NIC {nic.port_id}: {ip} and gateway {gateway} must be two different addresses of {network}")
    options = [
        f"user,id={netdev_id(nic.port_id)},net={network},host={gateway},dhcpstart={ip}",
        f"dns={_free_address(network, {ip, gateway})},ipv6=off,restrict={'on' if isolated else 'off'}",
    ]
    if not isolated:
        options += [f"hostfwd={rule.listens_on}-{ip}:{rule.guest_port}" for rule in sorted(_rules(nic))]
    return ",".join(options)


def _free_address(network: ipaddress.IPv4Network, taken: set[ipaddress.IPv4Address]) -> ipaddress.IPv4Address:
    """Return an address for slirp's name server, which must be none of the guest's and the gateway's."""
    # From the end: low addresses are what other servers of the subnet are likely to have.
    last = int(network.broadcast_address) - 1
    for number in range(last, max(last - 3, int(network.network_address)), -1):
        if ipaddress.IPv4Address(number) not in taken:
            return ipaddress.IPv4Address(number)
    raise ValueError(f"{network} has no address left for the name server; a /29 or larger is needed")


def _rules(nic: NicSpec) -> set[Rule]:
    return {_rule(nic, forward) for forward in nic.forwards}


def _rule(nic: NicSpec, forward: Forward) -> Rule:
    return Rule(netdev_id(nic.port_id), forward.address, forward.port, forward.guest_port)


def _reason(exc: OSError) -> str:
    if exc.errno == errno.EADDRINUSE:
        return "the address and port are in use on this host"
    if exc.errno == errno.EADDRNOTAVAIL:
        return "this host does not have the address"
    return exc.strerror or str(exc)
