"""How to reach the control plane: from the environment, or from a file of `KEY=VALUE` lines such as the lab writes."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class SettingsError(Exception):
    """Something about the connection is not set; the text says what and how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the control plane is and who we are. `project_id` wins over `project_name`."""

    endpoint: str
    iam_endpoint: str
    username: str
    password: str
    domain_name: str | None = None
    project_name: str | None = None
    project_id: str | None = None

    def __repr__(self) -> str:
        return f"Settings(endpoint={self.endpoint!r}, username={self.username!r})"


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables of a file of `KEY=VALUE` or `export KEY=VALUE` lines. Raises: SettingsError."""
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    found: dict[str, str] = {}
    for line in lines:
        for word in shlex.split(line, comments=True):
            name, equals, value = word.partition("=")
            if equals:
                found[name] = value
    return found


def read_settings(environment: Mapping[str, str] = os.environ, env_file: Path | None = None) -> Settings:
    """Return the settings; the file wins over the environment. Raises: SettingsError."""
    values = {**environment, **(read_env_file(env_file) if env_file else {})}
    missing = [name for name in ("SDRS_ENDPOINT", "SDRS_USERNAME", "SDRS_PASSWORD") if not values.get(name)]
    if not values.get("SDRS_PROJECT_ID") and not values.get("SDRS_PROJECT_NAME"):
        missing.append("SDRS_PROJECT_ID or SDRS_PROJECT_NAME")
    if missing:
        raise SettingsError(f"not set: {', '.join(missing)}. Set them, or use --env-file with a lab's file (.lab/env)")
    endpoint = values["SDRS_ENDPOINT"].rstrip("/")
    return Settings(
        endpoint=endpoint,
        iam_endpoint=(values.get("IAM_ENDPOINT") or endpoint).rstrip("/").removesuffix("/v3"),
        username=values["SDRS_USERNAME"],
        password=values["SDRS_PASSWORD"],
        domain_name=values.get("SDRS_DOMAIN_NAME") or None,
        project_name=values.get("SDRS_PROJECT_NAME") or None,
        project_id=values.get("SDRS_PROJECT_ID") or None,
    )
