"""The configuration of the control plane: one typed tree from TOML. An unknown key stops the start.

Every field has a default, a unit in its name, and a reason in its comment. Secrets are not in it: it names files.
"""

import tomllib
from pathlib import Path

import msgspec


class ConfigError(Exception):
    """The configuration cannot be used; the text says which key and what to do."""


class Listen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the API listens. Other addresses than loopback need TLS, which the gateway in front has to provide."""

    host: str = "127.0.0.1"
    port: int = 8776  # the port that OpenStack gives to block storage


class Api(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the API answers."""

    not_found_status: int = 400  # as in the vendor's table; 404 for clients that know only that (MATRIX A1)
    public_url: str = ""  # what catalogs and links say; empty: http://host:port of [listen]


class Iam(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Identity."""

    region: str = "lab"
    key_file: str = "iam.key"  # signs tokens and encrypts secret keys; relative to data_dir


class SiteAddress(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A site's agent. `url = "memory:"` is the complete emulation, for people who test clients."""

    name: str
    url: str
    token_file: str = ""


class Domain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An active-active domain: two sites that replicate to each other."""

    id: str
    name: str
    local_site: str
    remote_site: str
    description: str = ""


class Eips(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where elastic IPs come from."""

    network: str = "127.0.0.1"  # an address, or a range of them; loopback is reachable from the site's host only
    first_port: int = 20000
    last_port: int = 20999


class Quotas(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a project may have unless an administrator set a quota of its own; -1 is unlimited."""

    groups: int = 50  # the vendor's example
    pairs: int = 100  # the vendor's example
    instances_per_group: int = 60  # a failover starts all of them at once
    unattached_pairs: int = 50  # per project; each costs a DR disk that protects no server
    vpcs: int = 100  # per project, asked when a drill makes its network; that stays when the drill is deleted
    subnets: int = 1000  # likewise
    nics_per_instance: int = 8  # as many as a server has room for; a larger number changes nothing


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole tree."""

    data_dir: str = "data"  # relative to the file's folder
    database_url: str = ""  # empty: SQLite in data_dir
    workflow_database_url: str = ""  # empty: SQLite in data_dir; DBOS keeps its own tables
    executor: str = "control-1"  # this process's name among several that share a database
    log_level: str = "INFO"
    listen: Listen = Listen()
    api: Api = Api()
    iam: Iam = Iam()
    eips: Eips = Eips()
    quotas: Quotas = Quotas()
    site: tuple[SiteAddress, ...] = ()
    active_domain: tuple[Domain, ...] = ()
    folder: str = "."  # where the file is; set by `read`

    @property
    def data_path(self) -> Path:
        """The data directory, absolute."""
        return (Path(self.folder) / self.data_dir).resolve()

    @property
    def public_url(self) -> str:
        """The URL under which clients reach the API, without a slash at the end."""
        return (self.api.public_url or f"http://{self.listen.host}:{self.listen.port}").rstrip("/")

    def path(self, name: str) -> Path:
        """A file named in the configuration: relative names are in the data directory."""
        return self.data_path / name

    def sqlite_url(self, name: str) -> str:
        """The URL of an SQLite database in the data directory."""
        return f"sqlite:///{self.data_path / name}"


def read(path: Path) -> Config:
    """Read a configuration file. Raises: ConfigError."""
    try:
        tree = tomllib.loads(path.read_text())
        config = msgspec.convert(tree | {"folder": str(path.resolve().parent)}, Config)
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; write one (see docs/reference/configuration.md)") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}; correct the key or remove it") from None
    _check(config, path)
    return config


def _check(config: Config, path: Path) -> None:
    if config.api.not_found_status not in (400, 404):
        raise ConfigError(f"{path}: api.not_found_status must be 400 or 404")
    if config.listen.host not in ("127.0.0.1", "::1", "localhost"):
        raise ConfigError(f"{path}: listen.host must be a loopback address: put a TLS proxy in front for others")
    for name, value in msgspec.structs.asdict(config.quotas).items():
        if value < -1:
            raise ConfigError(f"{path}: quotas.{name} must be -1 (unlimited) or more")
    known = {site.name for site in config.site}
    for domain in config.active_domain:
        for name in (domain.local_site, domain.remote_site):
            if name not in known:
                raise ConfigError(f"{path}: active_domain {domain.name} names site {name}, which no [[site]] declares")
