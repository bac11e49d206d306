"""What `./run` starts: `python -m opensdrs.lab demo | lab | bench | server`."""

import asyncio
import sys
from pathlib import Path

import click
from rich.console import Console

from opensdrs.cli.client import ApiError, SdrsClient, Unreachable
from opensdrs.cli.settings import SettingsError, read_settings
from opensdrs.lab.demo import demo
from opensdrs.lab.stand import lab

ROOT = Path(__file__).resolve().parents[2]
_POWER = {"start": "start", "stop": "stop"}


@click.group()
def main() -> None:
    """The laboratory of OpenSDRS."""


@main.command("demo")
@click.option("--keep", is_flag=True, help="Keep the files of the run.")
def demo_command(keep: bool) -> None:
    """Tell the story: protect, lose a site, fail over, lose nothing."""
    sys.exit(asyncio.run(demo(Console(), keep=keep)))


@main.command("lab")
@click.option("--fresh", is_flag=True, help="Start over: delete the data of the last lab.")
@click.option("--port", type=click.IntRange(1, 65535), default=8776, show_default=True, help="Where the API listens.")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), default=ROOT / ".lab", help="Its data.")
def lab_command(fresh: bool, port: int, data_dir: Path) -> None:
    """Two sites and a control plane, seeded, until Ctrl-C."""
    sys.exit(asyncio.run(lab(Console(), data_dir=data_dir.resolve(), port=port, fresh=fresh)))


@main.command("server")
@click.option("--env", "env_file", type=click.Path(path_type=Path), required=True, help="The lab's env file.")
@click.argument("verb", type=click.Choice(["start", "stop", "status"]))
@click.argument("server_id")
def server_command(env_file: Path, verb: str, server_id: str) -> None:
    """Start or stop a server of a running lab, or print its status."""
    try:
        with SdrsClient(read_settings(env_file=env_file)) as client:
            if verb in _POWER:
                client.infra("POST", f"/servers/{server_id}/{_POWER[verb]}", {})
            click.echo(client.infra("GET", f"/servers/{server_id}")["status"])
    except (ApiError, Unreachable, SettingsError) as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
