"""Key files: the keys that sign tokens and that encrypt access keys' secrets, outside the database, mode 0600.

A file holds one key per line; the first one is used, the others still read what was made with them before.
"""

import os
import stat
from pathlib import Path

from cryptography.fernet import Fernet, MultiFernet


class KeyFileError(Exception):
    """The key file cannot be trusted or read; the text says which and why, never what is in it."""


def load_keys(path: Path) -> MultiFernet:
    """Read the key file, creating it with one new key if there is none. Raises: KeyFileError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(Fernet.generate_key() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return _read(path)


def _read(path: Path) -> MultiFernet:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeyFileError(f"{path}: others may read it: chmod 600 {path}")
    try:
        keys = [Fernet(line) for line in path.read_bytes().split()]
    except ValueError as error:
        raise KeyFileError(f"{path}: a line is not a key") from error
    if not keys:
        raise KeyFileError(f"{path}: it is empty")
    return MultiFernet(keys)
