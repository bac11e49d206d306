"""Commands of tags."""

from typing import Any

import click

from opensdrs.cli.options import json_option, pass_session
from opensdrs.cli.resources import BY_NAME
from opensdrs.cli.session import Session

_FIND_OPTIONS = (
    ("--tag", "tags", "Has all of these: KEY or KEY=VALUE; *TEXT as the value: contains TEXT."),
    ("--any", "tags_any", "Has one of these."),
    ("--not", "not_tags", "Does not have all of these."),
    ("--not-any", "not_tags_any", "Has none of these."),
)


def read_tag(text: str) -> dict[str, str]:
    """Return the tag that KEY=VALUE means; without a sign the value is empty."""
    key, _, value = text.partition("=")
    return {"key": key, "value": value}


def _condition(texts: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the conditions: several values of one key are alternatives, a key without a value means any."""
    values: dict[str, list[str]] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        values.setdefault(key, []).extend([value] if sign else [])
    return [{"key": key, "values": alternatives} for key, alternatives in values.items()]


@click.command("list")
@click.argument("instance", required=False)
@json_option
@pass_session
def list_tags(session: Session, instance: str | None) -> None:
    """List the tags of a protected instance, or all of the project."""
    if instance is None:
        found = session.client.sdrs("GET", "/protected-instances/tags")["tags"]
        session.output.list(found, ("key", "values"))
        return
    instance_id = session.find_id("instance", instance)
    found = session.client.sdrs("GET", f"/protected-instances/{instance_id}/tags")["tags"]
    session.output.list(found, ("key", "value"))


def _change(action: str, help_text: str) -> click.Command:
    @click.command("add" if action == "create" else "delete", help=help_text)
    @click.argument("instance")
    @click.argument("tags", nargs=-1, required=True)
    @json_option
    @pass_session
    def run(session: Session, instance: str, tags: tuple[str, ...]) -> None:
        is_key_enough = action == "delete"
        body = {
            "action": action,
            "tags": [{"key": text} if is_key_enough and "=" not in text else read_tag(text) for text in tags],
        }
        instance_id = session.find_id("instance", instance)
        session.client.sdrs("POST", f"/protected-instances/{instance_id}/tags/action", body)
        session.output.note("done")

    return run


@click.command("find")
@click.option("--name", help="Part of the instance's name.")
@json_option
@pass_session
def find_by_tags(session: Session, name: str | None, **given: tuple[str, ...]) -> None:
    """Find protected instances by their tags."""
    body: dict[str, Any] = {key: _condition(texts) for key, texts in given.items() if texts}
    if name:
        body["matches"] = [{"key": "resource_name", "value": name}]
    path = "/protected-instances/resource_instances/action"
    found: list[dict[str, Any]] = []
    total = 1
    while len(found) < total:
        answer = session.client.sdrs("POST", path, {"action": "filter", "offset": len(found), **body})
        total = answer["total_count"] if answer["resources"] else 0
        found += [row["resource_detail"] for row in answer["resources"]]
    session.output.list(found, BY_NAME["instance"].columns)


for _option, _key, _help in _FIND_OPTIONS:
    find_by_tags = click.option(_option, _key, multiple=True, help=_help)(find_by_tags)


def add_tag_commands(root: click.Group) -> None:
    """Add these commands."""
    group = click.Group("tag", help="Tags of protected instances.")
    for command in (
        list_tags,
        _change("create", "Add tags, each KEY=VALUE, to a protected instance; the same key is replaced."),
        _change("delete", "Delete tags, each KEY or KEY=VALUE, of a protected instance."),
        find_by_tags,
    ):
        group.add_command(command)
    root.add_command(group)
