"""The commands that every kind has: list, show, create, delete, rename; made from the table of kinds."""

from collections.abc import Callable
from typing import Any

import click

from opensdrs.cli.options import json_option, pass_session, wait_option, yes_option
from opensdrs.cli.resources import RESOURCES, Field, Resource
from opensdrs.cli.session import Session


def add_groups(root: click.Group) -> dict[str, click.Group]:
    """Add a group of commands for every kind; return them by the kind's name."""
    groups = {}
    for resource in RESOURCES:
        group = click.Group(resource.name, help=f"{resource.title[0].upper()}{resource.title[1:]}.")
        group.add_command(_list(resource))
        group.add_command(_show(resource))
        if resource.create is not None:
            group.add_command(_create(resource, resource.create))
        if resource.is_deletable:
            group.add_command(_delete(resource))
        if resource.renames:
            group.add_command(_rename(resource))
        root.add_command(group)
        groups[resource.name] = group
    return groups


def _options(fields: tuple[Field, ...]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for field in reversed(fields):
            if field.type is bool:
                option = click.option(field.flag, field.key.lower(), is_flag=True, help=field.help)
            else:
                kind = click.Choice(field.choices) if field.choices else field.type
                option = click.option(
                    field.flag, field.key.lower(), type=kind, required=field.required, help=field.help
                )
            function = option(function)
        return function

    return decorate


def _values(session: Session, fields: tuple[Field, ...], given: dict[str, Any]) -> dict[str, Any]:
    values = {}
    for field in fields:
        value = given[field.key.lower()]
        if value is None or value is False:
            continue
        values[field.key] = session.find_id(field.refers, value) if field.refers else value
    return values


def _list(resource: Resource) -> click.Command:
    @click.command("list", help=f"List {resource.title}.")
    @_options(resource.filters)
    @json_option
    @pass_session
    def run(session: Session, **given: Any) -> None:
        session.output.list(session.list(resource, **_values(session, resource.filters, given)), resource.columns)

    return run


def _show(resource: Resource) -> click.Command:
    @click.command("show", help=f"Show one of the {resource.title}, by name or id.")
    @click.argument("which")
    @json_option
    @pass_session
    def run(session: Session, which: str) -> None:
        session.output.show(session.get(resource.name, which))

    return run


def _create(resource: Resource, fields: tuple[Field, ...]) -> click.Command:
    def make(session: Session, wait: bool, given: dict[str, Any]) -> None:
        body = _values(session, fields, given)
        if resource.is_named:
            body["name"] = given["name"]
        if resource.api == "sdrs":
            answer = session.client.sdrs("POST", resource.path, {resource.wrapper: body})
            session.finish(answer, f"creating {resource.name} {given['name']}", wait=wait)
        else:
            session.output.show(session.client.infra("POST", resource.path, body))

    def run(session: Session, wait: bool = True, **given: Any) -> None:
        make(session, wait, given)

    decorated: Callable[..., Any] = _options(fields)(json_option(pass_session(run)))
    if resource.api == "sdrs":
        decorated = wait_option(decorated)
    if resource.is_named:
        decorated = click.argument("name")(decorated)
    return click.command("create", help=f"Create one of the {resource.title}.")(decorated)


def _delete(resource: Resource) -> click.Command:
    def run(session: Session, which: str, yes: bool, wait: bool = True, **given: bool) -> None:
        row_id = session.find_id(resource.name, which)
        session.confirm(f"Delete {resource.name} {which}?", is_sure=yes)
        chosen = {switch.key: True for switch in resource.switches if given[switch.key]}
        path = f"{resource.path}/{row_id}"
        if resource.api == "infra":
            session.client.infra("DELETE", path, None, **dict.fromkeys(chosen, "true"))
            session.output.note(f"{resource.name} {which} is deleted")
            return
        body = {"replication": chosen} if resource.name == "pair" else chosen
        answer = session.client.sdrs("DELETE", path, body or None)
        session.finish(answer, f"deleting {resource.name} {which}", wait=wait)

    decorated: Callable[..., Any] = json_option(yes_option(pass_session(run)))
    for switch in resource.switches:
        decorated = click.option(f"--{switch.option}", switch.key, is_flag=True, help=switch.help)(decorated)
    if resource.api == "sdrs":
        decorated = wait_option(decorated)
    help_text = f"Delete one of the {resource.title}, by name or id."
    return click.command("delete", help=help_text)(click.argument("which")(decorated))


def _rename(resource: Resource) -> click.Command:
    @click.command("rename", help=f"Give one of the {resource.title} a new name.")
    @click.argument("which")
    @click.argument("name")
    @json_option
    @pass_session
    def run(session: Session, which: str, name: str) -> None:
        body: dict[str, Any] = {"name": name}
        path = f"{resource.path}/{session.find_id(resource.name, which)}"
        answer = session.call(resource)(resource.renames, path, {resource.wrapper: body} if resource.wrapper else body)
        session.output.show(answer[resource.wrapper] if resource.wrapper else answer)

    return run
