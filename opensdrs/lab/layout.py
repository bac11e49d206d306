"""Where everything of a lab lies, and the configuration files of its processes."""

import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from opensdrs.domain.ids import SiteName
from opensdrs.main.certificates import Authority, create_authority, read_authority, write_site_bundle

SITES = (SiteName("az1"), SiteName("az2"))
REGION = "lab"
DOMAIN_ID = "5d0e8a2c-7b1f-4c7e-9a51-0f6f3c1b2a10"
DOMAIN_NAME = "az1-az2"
IMAGE = "ledger"
_PORT_NAMES = ("agent-az1", "agent-az2", "relay-az1", "relay-az2")
_EIP_HOST = "eip-host"


@dataclass(frozen=True, slots=True)
class Layout:
    """A lab's directory. Each site has a tree of its own; between the sites there is nothing but their link."""

    root: Path

    @property
    def control(self) -> Path:
        """The control plane's tree."""
        return self.root / "control"

    @property
    def env_file(self) -> Path:
        """What clients need to know, as shell KEY=VALUE lines."""
        return self.root / "env"

    def site(self, name: str) -> Path:
        """A site's tree: all its files, and the marker by which its processes are found."""
        return self.root / name

    @property
    def trees(self) -> tuple[Path, ...]:
        """Every tree that has processes."""
        return (self.control, *(self.site(name) for name in SITES))

    @property
    def control_config(self) -> Path:
        """The control plane's configuration file."""
        return self.control / "control.toml"

    def agent_config(self, name: str) -> Path:
        """An agent's configuration file."""
        return self.site(name) / "agent.toml"


def prepare(layout: Layout, port: int, image: Path) -> None:
    """Write certificates, tokens and configuration; what exists is kept, ports stay the same from start to start."""
    layout.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    ports = _ports(layout.root / "ports.json")
    authority = _authority(layout.root / "authority")
    for name in SITES:
        _prepare_site(layout, name, ports, authority, image)
    _prepare_control(layout, ports, port)


def _authority(folder: Path) -> Authority:
    if (folder / "ca.key").exists():
        return read_authority(folder)
    authority = create_authority()
    authority.write(folder)
    return authority


def _prepare_site(layout: Layout, name: str, ports: dict[str, int], authority: Authority, image: Path) -> None:
    tree = layout.site(name)
    tree.mkdir(mode=0o700, parents=True, exist_ok=True)
    bundle = tree / "relay.pem"
    if not bundle.exists():
        write_site_bundle(authority, SiteName(name), bundle)
    write_private(tree / "ca.pem", (layout.root / "authority" / "ca.pem").read_text())
    token = tree / "agent.token"
    if not token.exists():
        write_private(token, secrets.token_urlsafe(32) + "\n")
    (peer,) = (other for other in SITES if other != name)
    write_private(
        layout.agent_config(name),
        f"""\
name = "{name}"
data_dir = "data"
token_file = "agent.token"

[listen]
port = {ports[f"agent-{name}"]}

[images]
{IMAGE} = "{image}"

[relay]
host = "127.0.0.1"
port = {ports[f"relay-{name}"]}
authority = "ca.pem"
bundle = "relay.pem"

[peers.{peer}]
host = "127.0.0.1"
port = {ports[f"relay-{peer}"]}
""",
    )


def _prepare_control(layout: Layout, ports: dict[str, int], port: int) -> None:
    layout.control.mkdir(mode=0o700, parents=True, exist_ok=True)
    sites = "".join(
        f"""
[[site]]
name = "{name}"
url = "http://127.0.0.1:{ports[f"agent-{name}"]}"
token_file = "{layout.site(name) / "agent.token"}"
"""
        for name in SITES
    )
    write_private(
        layout.control_config,
        f"""\
data_dir = "data"

[listen]
port = {port}

[iam]
region = "{REGION}"

[eips]
network = "{_eip_address(ports.get(_EIP_HOST, 0))}"
{sites}
[[active_domain]]
id = "{DOMAIN_ID}"
name = "{DOMAIN_NAME}"
description = "The lab's two zones"
local_site = "{SITES[0]}"
remote_site = "{SITES[1]}"
""",
    )


def agent_port(layout: Layout, name: str) -> int:
    """Where a site's agent listens."""
    return _ports(layout.root / "ports.json")[f"agent-{name}"]


def _eip_address(host: int) -> str:
    """A loopback address of this lab alone; all of 127/8 is the machine's own."""
    return f"127.{64 + host // 256}.{host % 256}.1"


def _ports(path: Path) -> dict[str, int]:
    if path.exists():
        known: dict[str, int] = json.loads(path.read_text())
        return known
    ports = dict(zip(_PORT_NAMES, free_ports(len(_PORT_NAMES)), strict=True))
    ports[_EIP_HOST] = secrets.randbelow(1 << 14)  # labs on one machine keep out of each other's way
    write_private(path, json.dumps(ports))
    return ports


def free_ports(count: int) -> list[int]:
    """Return loopback TCP ports that nobody uses just now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)
