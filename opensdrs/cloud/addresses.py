"""IPv4 ranges and the addresses in them: which ranges a network may have, which addresses a server may have. Pure."""

import ipaddress
from collections.abc import Iterator

from opensdrs.cloud.checks import invalid
from opensdrs.domain.errors import refused
from opensdrs.domain.infrastructure import Subnet

_PRIVATE = tuple(ipaddress.IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
_RESERVED_HOSTS = (2, 3)  # the router's and the name server's address in QEMU's user network
_WIDEST_PREFIX, _NARROWEST_PREFIX = 8, 28


def parse_cidr(text: str) -> ipaddress.IPv4Network:
    """Return a private IPv4 network of /8 to /28. Raises: OPENSDRS.0400."""
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise invalid("cidr", str(error)) from error
    if not any(network.subnet_of(private) for private in _PRIVATE):
        raise invalid("cidr", f"{network} is not inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16")
    if not _WIDEST_PREFIX <= network.prefixlen <= _NARROWEST_PREFIX:
        raise invalid("cidr", f"the prefix length must be {_WIDEST_PREFIX} to {_NARROWEST_PREFIX}")
    return network


def gateway_of(network: ipaddress.IPv4Network, text: str | None) -> str:
    """Return the gateway's address: the first of the network unless given. Raises: OPENSDRS.0400."""
    if text is None:
        return str(network.network_address + 1)
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError as error:
        raise invalid("gateway_ip", str(error)) from error
    if address not in network or address in (network.network_address, network.broadcast_address):
        raise invalid("gateway_ip", f"{address} is not a host of {network}")
    return str(address)


def _reserved(subnet: Subnet) -> set[ipaddress.IPv4Address]:
    network = ipaddress.IPv4Network(subnet.cidr)
    return {
        network.network_address,
        network.broadcast_address,
        ipaddress.IPv4Address(subnet.gateway_ip),
        *(network.network_address + host for host in _RESERVED_HOSTS),
    }


def host_addresses(subnet: Subnet) -> Iterator[str]:
    """Yield the addresses that servers may have: not the network's, the broadcast, the gateway's or a reserved one."""
    reserved = _reserved(subnet)
    return (str(address) for address in ipaddress.IPv4Network(subnet.cidr).hosts() if address not in reserved)


def check_address(subnet: Subnet, text: str) -> str:
    """Return `text` as an address that a server of the subnet may have. Raises: SDRS.0219."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError as error:
        raise refused("SDRS.0219", f"{text!r} is not an IPv4 address") from error
    if address not in ipaddress.IPv4Network(subnet.cidr):
        raise refused("SDRS.0219", f"{address} is not in subnet {subnet.name} ({subnet.cidr})")
    if address in _reserved(subnet):
        raise refused("SDRS.0219", f"{address} is reserved in subnet {subnet.name}")
    return str(address)
