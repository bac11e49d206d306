"""Commands of the infrastructure beyond the table: servers' power and disks, volumes' URIs, elastic IPs, sites."""

from typing import Any

import click

from opensdrs.cli.options import json_option, pass_session, yes_option
from opensdrs.cli.session import Session


@click.command("create")
@click.argument("name")
@click.option("--az", required=True, help="Availability zone.")
@click.option("--flavor", required=True, help="Flavor; see: sdrs flavor list.")
@click.option("--subnet", "subnets", multiple=True, required=True, help="Subnet of a NIC; repeat for more NICs.")
@click.option("--ip", help="Address of the first NIC; the next free one unless given.")
@click.option("--image", help="Image of the system disk; see: sdrs site list.")
@click.option("--boot-volume", help="Existing bootable volume as the system disk, instead of --image.")
@click.option("--size", type=int, default=1, show_default=True, help="Size of the system disk in GiB.")
@click.option("--data", "data", type=int, multiple=True, help="Size of a data disk in GiB; repeat for more.")
@click.option("--start/--no-start", default=True, show_default=True, help="Start it.")
@json_option
@pass_session
def create_server(session: Session, **given: Any) -> None:
    """Create a server from an image or a bootable volume, with its disks and NICs."""
    if bool(given["image"]) == bool(given["boot_volume"]):
        raise click.UsageError("give either --image or --boot-volume")
    subnets = [session.get("subnet", text) for text in given["subnets"]]
    nics: list[dict[str, Any]] = [{"subnet_id": subnet["id"]} for subnet in subnets]
    if given["ip"]:
        nics[0]["ip"] = given["ip"]
    system: dict[str, Any] = {"image": given["image"], "size_gib": given["size"]}
    if given["boot_volume"]:
        system = {"volume_id": session.find_id("volume", given["boot_volume"])}
    body = {
        "name": given["name"],
        "availability_zone": given["az"],
        "flavor_id": given["flavor"],
        "vpc_id": subnets[0]["vpc_id"],
        "nics": nics,
        "volumes": [system, *({"size_gib": size} for size in given["data"])],
        "start": given["start"],
    }
    session.output.show(session.client.infra("POST", "/servers", body))


@click.command("start")
@click.argument("which")
@json_option
@pass_session
def start_server(session: Session, which: str) -> None:
    """Start a server."""
    session.output.show(session.client.infra("POST", f"/servers/{session.find_id('server', which)}/start", {}))


@click.command("stop")
@click.argument("which")
@click.option("--force", is_flag=True, help="Pull the plug instead of asking its system.")
@json_option
@yes_option
@pass_session
def stop_server(session: Session, which: str, force: bool, yes: bool) -> None:
    """Stop a server."""
    server_id = session.find_id("server", which)
    if force:
        session.confirm(f"Pull the plug of server {which}?", is_sure=yes)
    session.output.show(session.client.infra("POST", f"/servers/{server_id}/stop", {"force": force}))


@click.command("console")
@click.argument("which")
@click.option("--tail", type=int, default=4096, show_default=True, help="How many bytes from the end.")
@json_option
@pass_session
def show_console(session: Session, which: str, tail: int) -> None:
    """Show the end of a server's serial console."""
    answer = session.client.infra("GET", f"/servers/{session.find_id('server', which)}/console", tail=tail)
    session.output.text(answer["output"])


@click.command("attach")
@click.argument("which")
@click.argument("volume")
@click.option("--device", help="Device, for example /dev/vdb; the next free one unless given.")
@json_option
@pass_session
def attach_volume(session: Session, which: str, volume: str, device: str | None) -> None:
    """Attach a volume to a server."""
    body = {"volume_id": session.find_id("volume", volume), "device": device}
    session.output.show(session.client.infra("POST", f"/servers/{session.find_id('server', which)}/volumes", body))


@click.command("detach")
@click.argument("which")
@click.argument("volume")
@json_option
@pass_session
def detach_volume(session: Session, which: str, volume: str) -> None:
    """Detach a volume from a server."""
    path = f"/servers/{session.find_id('server', which)}/volumes/{session.find_id('volume', volume)}"
    session.client.infra("DELETE", path)
    session.output.note(f"volume {volume} is detached")


@click.command("uri")
@click.argument("which")
@json_option
@pass_session
def show_uri(session: Session, which: str) -> None:
    """Print the NBD URI that opens a volume for tools such as nbdcopy or qemu-img."""
    answer = session.client.infra("GET", f"/volumes/{session.find_id('volume', which)}/uri")
    if session.output.as_json:
        session.output.show(answer)
        return
    session.output.note(answer["note"])
    if answer["uri"] is None:
        raise click.ClickException(answer["note"])
    session.output.text(answer["uri"])


@click.command("associate")
@click.argument("eip")
@click.option("--server", help="Server whose primary port it shall lead to.")
@click.option("--port", help="Port it shall lead to.")
@json_option
@pass_session
def associate_eip(session: Session, eip: str, server: str | None, port: str | None) -> None:
    """Let an elastic IP lead to a server; it follows the server's NIC to the other site."""
    body = {"port_id": port} if port else {"server_id": session.find_id("server", server or "")}
    session.output.show(session.client.infra("POST", f"/eips/{eip}/associate", body))


@click.command("disassociate")
@click.argument("eip")
@json_option
@pass_session
def disassociate_eip(session: Session, eip: str) -> None:
    """Let an elastic IP lead nowhere."""
    session.output.show(session.client.infra("POST", f"/eips/{eip}/disassociate", {}))


@click.command("list")
@json_option
@pass_session
def list_sites(session: Session) -> None:
    """List the sites: whether they answer, their images and free space."""
    columns = ("name", "is_reachable", "accelerator", "images", "free_bytes", "running_servers", "fault")
    session.output.list(session.client.infra("GET", "/sites")["sites"], columns)


def add_infra_commands(root: click.Group, groups: dict[str, click.Group]) -> None:
    """Add these commands to the groups of the kinds."""
    for kind, commands in {
        "server": (create_server, start_server, stop_server, show_console, attach_volume, detach_volume),
        "volume": (show_uri,),
        "eip": (associate_eip, disassociate_eip),
    }.items():
        for command in commands:
            groups[kind].add_command(command)
    site = click.Group("site", help="Sites, one per availability zone.")
    site.add_command(list_sites)
    root.add_command(site)
