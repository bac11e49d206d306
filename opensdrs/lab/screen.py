"""What the demo shows: numbered steps, facts, progress bars, and a table at the end."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from opensdrs.lab.api import Json


class Screen:
    """A terminal, or a plain file: then each progress bar is one line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._step = 0
        self._rows: list[tuple[str, str]] = []

    def title(self, text: str) -> None:
        """The first line."""
        self._console.print(f"[bold]{text}[/]")

    def step(self, text: str) -> None:
        """A new step of the story."""
        self._step += 1
        self._console.print(f"\n[bold cyan]{self._step}.[/] [bold]{text}[/]")

    def fact(self, text: str) -> None:
        """Something that was done or measured."""
        self._console.print(f"   [green]✓[/] {text}", highlight=False)

    def result(self, name: str, value: str) -> None:
        """A row of the table at the end."""
        self._rows.append((name, value))

    def table(self, caption: str) -> None:
        """Show the results."""
        table = Table(title=caption, title_justify="left", show_header=False, title_style="bold")
        for name, value in self._rows:
            table.add_row(name, value)
        self._console.print()
        self._console.print(table)

    @contextmanager
    def bar(self, what: str) -> Iterator["Bar"]:
        """A progress bar from 0 to 100, with a detail beside it."""
        columns = (
            TextColumn("   {task.description}"), BarColumn(bar_width=32), TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[detail]}"), TimeElapsedColumn(),
        )  # fmt: skip
        with Progress(*columns, console=self._console, transient=self._console.is_terminal) as progress:
            bar = Bar(progress, what)
            yield bar
            bar.show(100)


class Bar:
    """One progress bar."""

    def __init__(self, progress: Progress, what: str) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=100, detail="")
        self._detail = ""

    def show(self, percent: float, detail: str = "") -> None:
        """Move the bar; without a detail the last one stays."""
        self._detail = detail or self._detail
        self._progress.update(self._task, completed=percent, detail=self._detail)

    def follow(self, job: Json) -> None:
        """Move the bar as far as a job is."""
        percent = 100 if job["status"] == "SUCCESS" else job.get("progress", 0)
        self.show(percent)


def mib(count: float) -> str:
    """Bytes as MiB."""
    return f"{count / (1 << 20):,.1f} MiB"
