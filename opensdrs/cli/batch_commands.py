"""Commands about many at once: batches of protected instances, quotas, the RPO statistics."""

from typing import Any

import click

from opensdrs.cli.options import json_option, pass_session, wait_option, yes_option
from opensdrs.cli.session import Session
from opensdrs.cli.tag_commands import read_tag


@click.command("create-batch")
@click.argument("name_prefix")
@click.option("--group", required=True, help="Protection group.")
@click.option("--server", "servers", required=True, multiple=True, help="Server; up to five, once for each.")
@click.option("--subnet", help="Subnet of the DR servers.")
@click.option("--storage-pool", help="Storage pool of the DR disks.")
@click.option("--description", help="What they are for.")
@click.option("--tag", "tags", multiple=True, help="KEY=VALUE, for each of them.")
@wait_option
@json_option
@pass_session
def create_batch(session: Session, wait: bool, name_prefix: str, **given: Any) -> None:
    """Create protected instances of several servers as one job: all or none. Needed where servers share disks."""
    body = {
        "name_prefix": name_prefix,
        "server_group_id": session.find_id("group", given["group"]),
        "servers": [{"server_id": session.find_id("server", server)} for server in given["servers"]],
        "tags": [read_tag(text) for text in given["tags"]],
    }
    if given["subnet"]:
        body["primary_subnet_id"] = session.find_id("subnet", given["subnet"])
    if given["storage_pool"]:
        body["cluster_id"] = session.find_id("storage-pool", given["storage_pool"])
    if given["description"]:
        body["description"] = given["description"]
    answer = session.client.sdrs("POST", "/protected-instances/batch", {"protected_instances": body})
    session.finish(answer, f"creating {len(body['servers'])} instances", wait=wait)


@click.command("delete-batch")
@click.argument("which", nargs=-1, required=True)
@click.option("--delete-server", is_flag=True, help="Also delete the DR servers.")
@click.option("--delete-eip", is_flag=True, help="Also release the DR servers' elastic IPs.")
@wait_option
@yes_option
@json_option
@pass_session
def delete_batch(
    session: Session, which: tuple[str, ...], delete_server: bool, delete_eip: bool, wait: bool, yes: bool
) -> None:
    """Delete protected instances of one group as one job. Needed where they share replication pairs."""
    ids = [session.find_id("instance", text) for text in which]
    session.confirm(f"Delete {len(ids)} protected instances?", is_sure=yes)
    body = {
        "protected_instances": [{"id": instance_id} for instance_id in ids],
        "delete_target_server": delete_server,
        "delete_target_eip": delete_eip,
    }
    answer = session.client.sdrs("POST", "/protected-instances/delete", body)
    session.finish(answer, f"deleting {len(ids)} instances", wait=wait)


@click.command("set", context_settings={"ignore_unknown_options": True})  # -1 is a quota
@click.argument("type", type=click.Choice(["server_groups", "replications"]))
@click.argument("quota", type=int)
@click.option("--project", "project_id", help="Id of another project than one's own.")
@json_option
@pass_session
def set_quota(session: Session, **given: Any) -> None:
    """Set how many groups or pairs a project may have; -1 is unlimited."""
    body = {name: value for name, value in given.items() if value is not None}
    session.output.show(session.client.infra("PUT", "/quotas", body))


@click.command("rpo")
@click.option(
    "--type",
    "resource_type",
    default="replication",
    show_default=True,
    type=click.Choice(["replication", "protected_instance", "server_group"]),
    help="What is counted.",
)
@click.option("--start", "start_time", help="From this time on (UTC), like '2019-04-01 12:00:00'.")
@click.option("--end", "end_time", help="Up to this time (UTC).")
@json_option
@pass_session
def list_rpo(session: Session, **given: Any) -> None:
    """List the minutes in which copies were behind, of the last seven days unless said."""
    query = {name: value for name, value in given.items() if value is not None}
    points = session.client.list_all("/resource/rpo-statistics", "resource_rpo_statistics", **query)
    session.output.list(points, ("point_time", "resource_type", "resource_num"))


def add_batch_commands(root: click.Group, groups: dict[str, click.Group]) -> None:
    """Add these commands; the group `quota` exists already."""
    for command in (create_batch, delete_batch):
        groups["instance"].add_command(command)
    quota = root.commands["quota"]
    assert isinstance(quota, click.Group)
    quota.add_command(set_quota)
    root.add_command(list_rpo)
