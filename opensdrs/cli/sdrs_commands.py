"""Commands of SDRS beyond the table: groups' operations, attaching pairs, jobs, failures, quotas, domains."""

from collections.abc import Callable
from typing import Any

import click

from opensdrs.cli.options import json_option, pass_session, wait_option, yes_option
from opensdrs.cli.resources import BY_NAME
from opensdrs.cli.session import NotFound, Session


@click.command("create")
@click.argument("name")
@click.option("--vpc", required=True, help="VPC of the servers.")
@click.option("--source", help="Availability zone of production; the domain's first unless given.")
@click.option("--target", help="Availability zone of disaster recovery; the domain's other one unless given.")
@click.option("--domain", help="Active-active domain, by name or id; needed if there are several.")
@click.option("--description", help="What it is for.")
@wait_option
@json_option
@pass_session
def create_group(session: Session, wait: bool, **given: Any) -> None:
    """Create a protection group."""
    domain = _find_domain(session, given["domain"])
    zones = [domain[f"{side}_replication_cluster"]["availability_zone"] for side in ("local", "remote")]
    source = given["source"] or next(zone for zone in zones if zone != given["target"])
    body = {
        "name": given["name"],
        "source_availability_zone": source,
        "target_availability_zone": given["target"] or next((zone for zone in zones if zone != source), zones[1]),
        "domain_id": domain["id"],
        "source_vpc_id": session.find_id("vpc", given["vpc"]),
    }
    if given["description"]:
        body["description"] = given["description"]
    answer = session.client.sdrs("POST", "/server-groups", {"server_group": body})
    session.finish(answer, f"creating group {given['name']}", wait=wait)


def _find_domain(session: Session, text: str | None) -> dict[str, Any]:
    domains: list[dict[str, Any]] = session.client.sdrs("GET", "/active-domains")["domains"]
    matching = [row for row in domains if text is None or text in (row["id"], row["name"])]
    if len(matching) != 1:
        names = ", ".join(row["name"] for row in domains) or "none"
        raise NotFound(f"--domain must name one of the active-active domains: {names}")
    return matching[0]


def _operation(name: str, action: str, help_text: str, question: str = "") -> click.Command:
    @click.command(name, help=help_text)
    @click.argument("which")
    @wait_option
    @yes_option
    @json_option
    @pass_session
    def run(session: Session, which: str, wait: bool, yes: bool) -> None:
        group_id = session.find_id("group", which)
        if question:
            session.confirm(question.format(which), is_sure=yes)
        answer = session.client.sdrs("POST", f"/server-groups/{group_id}/action", {action: {}})
        session.finish(answer, f"{name} {which}", wait=wait)

    return run


@click.command("reverse")
@click.argument("which")
@wait_option
@yes_option
@json_option
@pass_session
def reverse_group(session: Session, which: str, wait: bool, yes: bool) -> None:
    """Planned failover: swap production and disaster recovery without losing anything (servers must be stopped)."""
    group = session.get("group", which)
    station = "source" if group["priority_station"] == "target" else "target"
    session.confirm(f"Swap the sites of group {which}?", is_sure=yes)
    body = {"reverse-server-group": {"priority_station": station}}
    answer = session.client.sdrs("POST", f"/server-groups/{group['id']}/action", body)
    session.finish(answer, f"reverse {which}", wait=wait)


@click.command("status")
@click.argument("which")
@json_option
@pass_session
def group_status(session: Session, which: str) -> None:
    """Show a group with its instances, pairs and drills on one screen."""
    group = session.get("group", which)
    parts = {kind: session.list(BY_NAME[kind], server_group_id=group["id"]) for kind in ("instance", "pair", "drill")}
    if session.output.as_json:
        session.output.show({"group": group, **{f"{kind}s": found for kind, found in parts.items()}})
        return
    names = ("name", "status", "priority_station", "source_availability_zone", "target_availability_zone", "progress")
    session.output.show({name: group[name] for name in names})
    for kind, found in parts.items():
        if found:
            session.output.text("")
            session.output.list(found, BY_NAME[kind].columns)


@click.command("attach")
@click.argument("which")
@click.option("--instance", required=True, help="Protected instance.")
@click.option("--device", required=True, help="Device, for example /dev/vdb.")
@wait_option
@json_option
@pass_session
def attach_pair(session: Session, which: str, instance: str, device: str, wait: bool) -> None:
    """Attach a replication pair to a protected instance."""
    body = {"replicationAttachment": {"replication_id": session.find_id("pair", which), "device": device}}
    path = f"/protected-instances/{session.find_id('instance', instance)}/attachreplication"
    session.finish(session.client.sdrs("POST", path, body), f"attaching {which}", wait=wait)


@click.command("detach")
@click.argument("which")
@click.option("--instance", required=True, help="Protected instance.")
@wait_option
@json_option
@pass_session
def detach_pair(session: Session, which: str, instance: str, wait: bool) -> None:
    """Detach a replication pair from a protected instance."""
    pair_id, instance_id = session.find_id("pair", which), session.find_id("instance", instance)
    path = f"/protected-instances/{instance_id}/detachreplication/{pair_id}"
    session.finish(session.client.sdrs("DELETE", path), f"detaching {which}", wait=wait)


@click.command("show")
@click.argument("job_id")
@json_option
@pass_session
def show_job(session: Session, job_id: str) -> None:
    """Show a job."""
    session.output.show(session.client.sdrs("GET", f"/jobs/{job_id}"))


@click.command("wait")
@click.argument("job_id")
@click.option("--timeout", type=float, default=3600.0, show_default=True, help="Seconds.")
@json_option
@pass_session
def wait_job(session: Session, job_id: str, timeout: float) -> None:
    """Wait until a job has succeeded; fails when it fails."""
    with session.output.progress(f"job {job_id}") as move:
        session.client.wait_job(job_id, move, timeout)
    session.output.show(session.client.sdrs("GET", f"/jobs/{job_id}"))


@click.command("list")
@click.option("--group", help="Failures in this protection group; those of the groups themselves unless given.")
@json_option
@pass_session
def list_tasks(session: Session, group: str | None) -> None:
    """List failed jobs (the task centre)."""
    query = {"server_group_id": session.find_id("group", group)} if group else {}
    columns = ("job_id", "resource_type", "resource_name", "failure_status", "error_code", "fail_reason")
    session.output.list(session.client.list_all("/task-center/failure-jobs", "failure_jobs", **query), columns)


@click.command("delete")
@click.argument("job_id", required=False)
@click.option("--group", help="All failures in this protection group.")
@click.option("--all-groups", is_flag=True, help="All failures of the groups themselves.")
@json_option
@pass_session
def delete_task(session: Session, job_id: str | None, group: str | None, all_groups: bool) -> None:
    """Take failures off the list."""
    if sum(map(bool, (job_id, group, all_groups))) != 1:
        raise click.UsageError("give a job's id, --group or --all-groups")
    if job_id:
        session.client.sdrs("DELETE", f"/task-center/failure-jobs/{job_id}")
    elif group:
        session.client.sdrs("DELETE", f"/task-center/{session.find_id('group', group)}/failure-jobs/batch")
    else:
        session.client.sdrs("DELETE", "/task-center/failure-jobs/batch")
    session.output.note("done")


def _plain_list(path: str, dig: Callable[[Any], Any], columns: tuple[str, ...], help_text: str) -> click.Command:
    @click.command("list", help=help_text)
    @json_option
    @pass_session
    def run(session: Session) -> None:
        session.output.list(dig(session.client.sdrs("GET", path)), columns)

    return run


def add_sdrs_commands(root: click.Group, groups: dict[str, click.Group]) -> None:
    """Add these commands to the groups of the kinds, and groups for jobs, tasks, quotas and domains."""
    stop_question = "Stop protecting group {}? Its DR copies fall behind from then on."
    failover_question = "Fail group {} over? Its servers start at the DR site; the production site loses its role."
    for command in (
        create_group,
        _operation("start", "start-server-group", "Enable protection; after a failover: protect again."),
        _operation("stop", "stop-server-group", "Disable protection.", stop_question),
        _operation("failover", "failover-server-group", "Start the servers at the DR site.", failover_question),
        reverse_group,
        group_status,
    ):
        groups["group"].add_command(command)
    groups["pair"].add_command(attach_pair)
    groups["pair"].add_command(detach_pair)
    quotas = _plain_list("/sdrs/quotas", lambda answer: answer["quotas"]["resources"], ("type", "used", "quota"),
                         "List quotas.")  # fmt: skip
    domain_columns = (
        "id", "name", "local_replication_cluster.availability_zone", "remote_replication_cluster.availability_zone",
    )  # fmt: skip
    domains = _plain_list("/active-domains", lambda answer: answer["domains"], domain_columns, "List domains.")
    for name, help_text, commands in (
        ("job", "Jobs.", (show_job, wait_job)),
        ("task", "Failed jobs (the task centre).", (list_tasks, delete_task)),
        ("quota", "Quotas.", (quotas,)),
        ("domain", "Active-active domains: pairs of sites.", (domains,)),
    ):
        group = click.Group(name, help=help_text)
        for command in commands:
            group.add_command(command)
        root.add_command(group)
