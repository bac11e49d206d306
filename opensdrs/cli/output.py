"""What a person sees (tables, colours, a progress bar) and what a program sees (`--json`)."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from opensdrs.cli.client import Job, Json

_GOOD = frozenset({"available", "protected", "active", "in-use", "success", "in-sync", "true"})
_BUSY_SUFFIX = "ing"
_KEEP_WHOLE = ("id", "job_id", "name", "status")
_ANY_WIDTH = 1000
_BAD_PREFIXES = ("error", "fail", "fault", "invalid")


class Output:
    """Where results go: standard output; progress and errors go to standard error."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._out = _console(sys.stdout.isatty())
        self._err = Console(stderr=True, highlight=False, soft_wrap=True)

    @property
    def is_interactive(self) -> bool:
        """Whether a person can be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty() and not self.as_json

    def show(self, value: Any) -> None:
        """Show one thing: its fields, one a line."""
        if self.as_json:
            self._print_json(value)
            return
        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, field in value.items():
            table.add_row(escape(name), _cell(name, field))
        self._out.print(table)

    def list(self, rows: Sequence[Json], columns: Sequence[str]) -> None:
        """Show many things: a table with these columns (a dot goes into an object)."""
        if self.as_json:
            self._print_json(list(rows))
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column.replace(".", " ").upper(), no_wrap=column in _KEEP_WHOLE, overflow="fold")
        for row in rows:
            table.add_row(*(_cell(column, _dig(row, column)) for column in columns))
        self._out.print(table)

    def text(self, text: str) -> None:
        """Show text as it is; as JSON a string."""
        if self.as_json:
            self._print_json(text)
        else:
            self._out.print(text, markup=False)

    def note(self, text: str) -> None:
        """Tell a person something on standard error; a program hears nothing."""
        if not self.as_json:
            self._err.print(escape(text), style="dim")

    def error(self, code: str, message: str, request_id: str = "") -> None:
        """Show an error on standard error."""
        if self.as_json:
            body = {"error": {"code": code, "message": message, "request_id": request_id}}
            print(json.dumps(body, ensure_ascii=False), file=sys.stderr)
            return
        self._err.print(f"[bold red]Error[/] [bold]{escape(code)}[/]  {escape(message)}")
        if request_id:
            self._err.print(f"request {escape(request_id)}", style="dim")

    @contextmanager
    def progress(self, title: str) -> Iterator[Callable[[Job], None] | None]:
        """Give a callback that moves a bar, or None where nobody looks."""
        if not self._err.is_terminal or self.as_json:
            yield None
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:.0f} %"),
        )
        with Progress(*columns, TimeElapsedColumn(), console=self._err, transient=True) as bar:
            task = bar.add_task(escape(title), total=100)
            yield lambda job: bar.update(task, completed=job.progress)

    def _print_json(self, value: Any) -> None:
        print(json.dumps(value, indent=2, ensure_ascii=False))


def _console(is_terminal: bool) -> Console:
    """Programs get lines of any length; a terminal gets its own width."""
    return Console(highlight=False) if is_terminal else Console(highlight=False, width=_ANY_WIDTH)


def _dig(value: Any, path: str) -> Any:
    """Follow a path of names with dots; through a list it gives a list."""
    if not path:
        return value
    if isinstance(value, list):
        return [_dig(item, path) for item in value]
    name, _, rest = path.partition(".")
    return _dig(value.get(name), rest) if isinstance(value, dict) else None


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "[dim]-[/]"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (dict, list)):
        return escape(_compact(value)) or "[dim]-[/]"
    text = escape(str(value))
    colour = _colour(str(value).lower()) if name.rpartition(".")[2] in ("status", "replication_status") else ""
    return f"[{colour}]{text}[/]" if colour else text


def _compact(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_compact(item) for item in value)
    if isinstance(value, dict):
        return " ".join(f"{name}={_compact(field)}" for name, field in value.items() if field not in (None, [], {}))
    return str(value)


def _colour(status: str) -> str:
    if status.startswith(_BAD_PREFIXES):
        return "red"
    if status in _GOOD:
        return "green"
    return "yellow" if status.endswith(_BUSY_SUFFIX) or status in ("build", "init", "running", "failed-over") else ""
