"""The `sdrs` command: its root, and how errors end it. Exit status 1: refused or failed; 2: used wrongly."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import httpx
from click.shell_completion import get_completion_class

from opensdrs.cli.batch_commands import add_batch_commands
from opensdrs.cli.change_commands import add_change_commands
from opensdrs.cli.client import ApiError, JobFailed, JobTimeout, Unreachable
from opensdrs.cli.generated import add_groups
from opensdrs.cli.infra_commands import add_infra_commands
from opensdrs.cli.options import json_option, pass_session
from opensdrs.cli.output import Output
from opensdrs.cli.sdrs_commands import add_sdrs_commands
from opensdrs.cli.session import NotFound, Session
from opensdrs.cli.settings import SettingsError
from opensdrs.cli.tag_commands import add_tag_commands

_REFUSED, _MISUSED, _INTERRUPTED = 1, 2, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--env-file", type=click.Path(path_type=Path, dir_okay=False), envvar="SDRS_ENV_FILE",
              help="File of KEY=VALUE lines, for example a lab's .lab/env.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_context
def cli(context: click.Context, env_file: Path | None, as_json: bool) -> None:
    """Protect servers against the loss of a site.

    The connection comes from SDRS_ENDPOINT, IAM_ENDPOINT, SDRS_USERNAME, SDRS_PASSWORD, SDRS_DOMAIN_NAME and
    SDRS_PROJECT_NAME or SDRS_PROJECT_ID. Resources are named by name or id.
    """
    transport: httpx.BaseTransport | None = context.obj
    session = Session(env_file=env_file, output=Output(as_json=as_json), transport=transport)
    context.obj = session
    context.call_on_close(session.close)


@cli.command("token")
@json_option
@pass_session
def show_token(session: Session) -> None:
    """Log in and print a token for other tools (header X-Auth-Token)."""
    session.output.text(session.client.log_in())


@cli.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def show_completion(shell: str) -> None:
    """Print the completion script of a shell: eval "$(sdrs completion bash)"."""
    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(cli, {}, "sdrs", "_SDRS_COMPLETE").source())


_groups = add_groups(cli)
add_infra_commands(cli, _groups)
add_sdrs_commands(cli, _groups)
add_tag_commands(cli)
add_batch_commands(cli, _groups)
add_change_commands(_groups)


def run(arguments: Sequence[str], transport: httpx.BaseTransport | None = None, *, root: click.Group = cli) -> int:
    """Run the command; return its exit status. `transport` replaces the network, for tests."""
    wanted = list(arguments)
    output = Output(as_json="--json" in wanted)
    try:
        result = root.main(wanted, prog_name="sdrs", standalone_mode=False, obj=transport)
    except ApiError as error:
        output.error(error.code, error.message, error.request_id)
    except JobFailed as error:
        output.error(error.job.error_code or "FAIL", error.job.fail_reason or "", f"(job {error.job.id})")
    except (NotFound, Unreachable, JobTimeout) as error:
        output.error(type(error).__name__, str(error))
    except SettingsError as error:
        output.error("Settings", str(error))
        return _MISUSED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left: nobody to write to
        return _REFUSED
    else:
        return result if isinstance(result, int) else 0
    return _REFUSED


def main() -> None:
    """Entry point of the `sdrs` command."""
    sys.exit(run(sys.argv[1:]))
