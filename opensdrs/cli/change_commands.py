"""Commands that change a protected instance or a pair while it lives: NICs, flavors, the size of disks."""

import click

from opensdrs.cli.options import json_option, pass_session, wait_option, yes_option
from opensdrs.cli.session import Session


def _path(session: Session, which: str, word: str) -> str:
    return f"/protected-instances/{session.find_id('instance', which)}/{word}"


@click.command("add-nic")
@click.argument("which")
@click.option("--subnet", required=True, help="Subnet in the protection group's VPC.")
@click.option("--ip", help="Address of the production server's NIC; a free one unless given.")
@wait_option
@json_option
@pass_session
def add_nic(session: Session, which: str, subnet: str, ip: str | None, wait: bool) -> None:
    """Add a NIC to both servers of a protected instance, also while they run."""
    body = {"subnet_id": session.find_id("subnet", subnet), **({"ip_address": ip} if ip else {})}
    session.finish(
        session.client.sdrs("POST", _path(session, which, "nic"), body), f"adding a NIC to {which}", wait=wait
    )


@click.command("delete-nic")
@click.argument("which")
@click.argument("nic_id")
@wait_option
@yes_option
@json_option
@pass_session
def delete_nic(session: Session, which: str, nic_id: str, wait: bool, yes: bool) -> None:
    """Delete a NIC (a port of one of the servers) from both servers of a protected instance."""
    session.confirm(f"Delete NIC {nic_id} of {which}?", is_sure=yes)
    answer = session.client.sdrs("POST", _path(session, which, "nic/delete"), {"nic_id": nic_id})
    session.finish(answer, f"deleting NIC {nic_id}", wait=wait)


@click.command("resize")
@click.argument("which")
@click.option("--flavor", help="Flavor of both servers.")
@click.option("--production-flavor", help="Flavor of the production server.")
@click.option("--dr-flavor", help="Flavor of the DR server.")
@click.option("--production-host", help="Dedicated host of the production server.")
@click.option("--dr-host", help="Dedicated host of the DR server.")
@wait_option
@json_option
@pass_session
def resize(session: Session, which: str, wait: bool, **given: str | None) -> None:
    """Change the flavors of a protected instance's servers, which must be stopped."""
    keys = {
        "flavor": "flavorRef", "production_flavor": "production_flavorRef", "dr_flavor": "dr_flavorRef",
    }  # fmt: skip
    hosts = {"production_host": "production_dedicated_host_id", "dr_host": "dr_dedicated_host_id"}
    body = {key: text for name, key in keys.items() if (text := given[name])}
    body |= {key: session.find_id("dedicated-host", text) for name, key in hosts.items() if (text := given[name])}
    answer = session.client.sdrs("POST", _path(session, which, "resize"), {"resize": body})
    session.finish(answer, f"resizing {which}", wait=wait)


@click.command("extend")
@click.argument("which")
@click.option("--size", type=int, required=True, help="Size of both disks in GiB, larger than now.")
@wait_option
@json_option
@pass_session
def extend_pair(session: Session, which: str, size: int, wait: bool) -> None:
    """Let both disks of a replication pair grow, also while they are used."""
    path = f"/replications/{session.find_id('pair', which)}/action"
    answer = session.client.sdrs("POST", path, {"extend-replication": {"new_size": size}})
    session.finish(answer, f"extending {which}", wait=wait)


def add_change_commands(groups: dict[str, click.Group]) -> None:
    """Add these commands to the groups of instances and pairs."""
    for command in (add_nic, delete_nic, resize):
        groups["instance"].add_command(command)
    groups["pair"].add_command(extend_pair)
