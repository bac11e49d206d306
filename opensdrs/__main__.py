"""The processes: `python -m opensdrs serve|agent --config FILE`. For people there is the `sdrs` command."""

import argparse
import sys
from pathlib import Path

from opensdrs.main.agent import run_agent
from opensdrs.main.control import run_control_plane

_PROCESSES = {"serve": run_control_plane, "agent": run_agent}


def main() -> int:
    """Run the process that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m opensdrs", description="Processes of OpenSDRS")
    parser.add_argument("process", choices=_PROCESSES, help="the control plane, or the agent of a site")
    parser.add_argument("--config", type=Path, required=True, help="its TOML file")
    arguments = parser.parse_args()
    return _PROCESSES[arguments.process](arguments.config)


if __name__ == "__main__":
    sys.exit(main())
