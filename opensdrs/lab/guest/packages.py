"""Where the guest's parts come from: Debian packages, installed ones in place, the others unpacked beside the image.

Nothing here installs anything: a missing package is downloaded with apt and unpacked into the cache, which needs no
root and leaves the machine's /boot alone (installing a kernel would add a boot entry and an initramfs).
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

#: Small packages the set-up installs, so that a build needs no download but the kernel's.
DEBIAN_PACKAGES = ("busybox-static", "mtools", "syslinux", "syslinux-common")
#: Used when it is installed; otherwise only downloaded, never installed.
KERNEL_PACKAGE = "linux-image-cloud-amd64"
DOWNLOAD_TIMEOUT_S = 300
COMMAND_TIMEOUT_S = 60


class GuestBuildError(Exception):
    """The guest image cannot be built; the message says what to run."""


def find(package: str, search: Callable[[Path], Path | None], cache_dir: Path) -> Path:
    """Return what `search` finds under / or in the unpacked `package`, which is downloaded at most once.

    Raises: GuestBuildError when the package cannot be downloaded or does not hold what is looked for.
    """
    unpacked = cache_dir / "packages" / package
    for root in (Path("/"), unpacked):
        if found := search(root):
            return found
    _fetch(package, unpacked)
    if found := search(unpacked):
        return found
    raise GuestBuildError(f"{package} does not hold the file the guest needs; {_advice(package)}")


def run(*command: str, cwd: Path | None = None, path: str | None = None, timeout_s: int = COMMAND_TIMEOUT_S) -> str:
    """Run a command, with `path` searched first, and return its output. Raises: GuestBuildError that shows it."""
    search = os.environ.get("PATH", os.defpath)
    environ = {**os.environ, "LC_ALL": "C", "PATH": f"{path}:{search}" if path else search}
    try:
        done = subprocess.run(
            command, cwd=cwd, env=environ, timeout=timeout_s, capture_output=True, text=True, check=True
        )
    except FileNotFoundError as error:
        raise GuestBuildError(f"{command[0]} is not there; the guest is built on Debian or one of its kin") from error
    except subprocess.TimeoutExpired as error:
        raise GuestBuildError(f"{' '.join(command)} took longer than {timeout_s} s") from error
    except subprocess.CalledProcessError as error:
        raise GuestBuildError(f"{' '.join(command)}: {(error.stderr or error.stdout).strip()}") from error
    return done.stdout


def version_key(path: Path) -> list[int]:
    """Order kernel files by the numbers in their names: 6.1.0-9 comes before 6.1.0-56."""
    return [int(number) for number in re.findall(r"\d+", path.name)]


def _advice(package: str) -> str:
    return f"run: apt-get update && apt-get install --yes --no-install-recommends {package}"


def _fetch(package: str, unpacked: Path) -> None:
    """Download `package` and unpack it as the folder `unpacked`, whole or not at all."""
    unpacked.parent.mkdir(parents=True, exist_ok=True)
    try:
        concrete = _concrete_kernel() if package == KERNEL_PACKAGE else package
        with tempfile.TemporaryDirectory(dir=unpacked.parent, prefix=".fetch-") as scratch:
            run("apt-get", "download", concrete, cwd=Path(scratch), timeout_s=DOWNLOAD_TIMEOUT_S)
            (deb,) = Path(scratch).glob("*.deb")
            tree = Path(scratch) / "tree"
            run("dpkg-deb", "--extract", str(deb), str(tree))
            if not unpacked.exists():
                tree.rename(unpacked)
    except (GuestBuildError, OSError) as error:
        raise GuestBuildError(f"cannot download {package} ({error}); {_advice(package)}") from error


def _concrete_kernel() -> str:
    """Return the package the kernel's meta package stands for, such as linux-image-6.1.0-56-cloud-amd64."""
    depends = re.findall(r"Depends: (linux-image-\d\S*-cloud-amd64)", run("apt-cache", "depends", KERNEL_PACKAGE))
    if not depends:
        raise GuestBuildError(f"apt knows no kernel for {KERNEL_PACKAGE}")
    return str(depends[0])
