"""Options that many commands share."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, TypeVar

import click

from opensdrs.cli.session import Session

F = TypeVar("F", bound=Callable[..., Any])


def _use_json(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        context.find_root().obj.output.as_json = True


def json_option(function: F) -> F:
    """Add `--json`: results and errors as JSON."""
    return click.option(
        "--json", is_flag=True, expose_value=False, callback=_use_json, help="Print JSON for programs."
    )(function)


def wait_option(function: F) -> F:
    """Add `--wait/--no-wait`."""
    return click.option(
        "--wait/--no-wait", default=True, show_default=True, help="Wait for the job, or only print its id."
    )(function)


def yes_option(function: F) -> F:
    """Add `--yes`: do not ask."""
    return click.option("--yes", "-y", is_flag=True, help="Do not ask.")(function)


def pass_session(function: Callable[..., None]) -> Callable[..., None]:
    """Give the command its session as the first argument."""

    @click.pass_context
    def call(context: click.Context, /, *args: Any, **options: Any) -> None:
        session: Session = context.find_root().obj
        function(session, *args, **options)

    return update_wrapper(call, function)
