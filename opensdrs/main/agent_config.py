"""The configuration of an agent: one typed tree from TOML. An unknown key stops the start.

Relative paths are relative to the file's folder. Secrets are not in it: it names files.
"""

import ipaddress
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from opensdrs.domain.ids import SiteName
from opensdrs.main.config import ConfigError
from opensdrs.process.serving import Listen
from opensdrs.sites.qemu.settings import PeerAddress, QemuSiteSettings, RelayCertificates


class AgentListen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the control plane reaches the agent. Without `certificate` only a loopback address is accepted."""

    host: str = "127.0.0.1"
    port: int = 7700
    certificate: str = ""  # PEM file with certificate and key; turns TLS on
    client_authority: str = ""  # PEM file; only clients with a certificate of this authority get through


class Relay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The inter-site link: where the other sites' relays connect, and this site's proof of who it is."""

    host: str = "0.0.0.0"
    port: int = 7443
    authority: str  # PEM file, the same at every site
    bundle: str  # PEM file with this site's certificate and key
    slots: int = 64  # replication pairs that this site can send to one peer at a time


class Peer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the relay of another site listens."""

    host: str
    port: int = 7443


class AgentTree(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file's content."""

    name: str  # of the zone, for example az1
    driver: Literal["qemu", "memory"] = "qemu"  # memory: nothing is kept, for people who test clients
    data_dir: str = "data"
    token_file: str = "agent.token"  # what the control plane has to show; mode 0600
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    listen: AgentListen = AgentListen()
    images: dict[str, str] = {}  # name of a system image: raw file
    relay: Relay | None = None  # needed by driver = "qemu"
    peers: dict[str, Peer] = {}


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """The tree with its paths made absolute."""

    tree: AgentTree
    folder: Path

    @property
    def name(self) -> SiteName:
        """The zone's name."""
        return SiteName(self.tree.name)

    @property
    def data_path(self) -> Path:
        """The data directory, absolute."""
        return self.path(self.tree.data_dir)

    @property
    def images(self) -> dict[str, Path]:
        """Where each image is."""
        return {name: self.path(file) for name, file in self.tree.images.items()}

    @property
    def listen(self) -> Listen:
        """Where to serve."""
        listen = self.tree.listen
        certificate = self.path(listen.certificate) if listen.certificate else None
        authority = self.path(listen.client_authority) if listen.client_authority else None
        return Listen(host=listen.host, port=listen.port, cert=certificate, key=certificate, client_ca=authority)

    def path(self, name: str) -> Path:
        """A file named in the configuration."""
        return (self.folder / name).absolute()

    def read_token(self) -> str:
        """Return the secret. Raises: ConfigError if others than the owner may read it."""
        path = self.path(self.tree.token_file)
        try:
            mode = path.stat().st_mode & 0o777
            token = path.read_text().strip()
        except OSError as error:
            raise ConfigError(f"token_file {path} cannot be read ({error.strerror}); write a secret to it") from None
        if mode & 0o077:
            raise ConfigError(f"token_file {path} has mode {mode:04o}; run `chmod 600 {path}`")
        if not token or not token.isascii() or not token.isprintable():
            raise ConfigError(f"token_file {path} must hold one line of printable ASCII; write a secret to it")
        return token

    def qemu_settings(self) -> QemuSiteSettings:
        """Return what the qemu driver is told. Raises: ConfigError."""
        relay = self.tree.relay
        if relay is None:
            raise ConfigError('driver = "qemu" needs a [relay] table with authority and bundle; add it')
        try:
            return QemuSiteSettings(
                name=self.name,
                data_dir=self.data_path,
                images=self.images,
                relay_listen=PeerAddress(relay.host, relay.port),
                peers={SiteName(name): PeerAddress(peer.host, peer.port) for name, peer in self.tree.peers.items()},
                certificates=RelayCertificates(authority=self.path(relay.authority), bundle=self.path(relay.bundle)),
                relay_slots=relay.slots,
            )
        except ValueError as error:
            raise ConfigError(str(error)) from None


def read_agent_config(path: Path) -> AgentConfig:
    """Read and check an agent's configuration file. Raises: ConfigError."""
    try:
        tree = msgspec.convert(tomllib.loads(path.read_text()), AgentTree)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); name an existing file with --config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}; correct the key or remove it") from None
    config = AgentConfig(tree, path.absolute().parent)
    _check(config, path)
    return config


def _check(config: AgentConfig, path: Path) -> None:
    tree = config.tree
    if not tree.listen.certificate and not _is_loopback(tree.listen.host):
        raise ConfigError(
            f"{path}: listen.host {tree.listen.host} is not a loopback address, and without TLS the token would be "
            "readable on the network; set listen.certificate, or listen at 127.0.0.1"
        )
    if tree.listen.client_authority and not tree.listen.certificate:
        raise ConfigError(f"{path}: listen.client_authority needs listen.certificate; set it")
    if tree.name in tree.peers:
        raise ConfigError(f"{path}: peers.{tree.name} is this site itself; remove it")
    files = {f"images.{name}": file for name, file in config.images.items()}
    for key, file in (("certificate", tree.listen.certificate), ("client_authority", tree.listen.client_authority)):
        if file:
            files[f"listen.{key}"] = config.path(file)
    if tree.relay is not None:
        files |= {"relay.authority": config.path(tree.relay.authority), "relay.bundle": config.path(tree.relay.bundle)}
    for key, file_path in files.items():
        if not file_path.is_file():
            raise ConfigError(f"{path}: {key} names {file_path}, which is not a file; correct the path")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
