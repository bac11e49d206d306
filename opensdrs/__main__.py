"""The processes: `python -m opensdrs serve|agent --config FILE`. For people there is the `sdrs` command."""

import argparse
import sys
from pathlib import Path


def _serve(config: Path) -> int:
    from opensdrs.main.control import run_control_plane

    return run_control_plane(config)


def _agent(config: Path) -> int:
    from opensdrs.main.agent import run_agent  # an agent loads no database, no identity, no API

    return run_agent(config)


_PROCESSES = {"serve": _serve, "agent": _agent}


def main() -> int:
    """Run the process that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m opensdrs", description="Processes of OpenSDRS")
    parser.add_argument("process", choices=_PROCESSES, help="the control plane, or the agent of a site")
    parser.add_argument("--config", type=Path, required=True, help="its TOML file")
    arguments = parser.parse_args()
    return _PROCESSES[arguments.process](arguments.config)


if __name__ == "__main__":
    sys.exit(main())
