"""HAProxy's control socket: send commands, check the answers. Knows nothing of pairs and groups.

Source: HAProxy 2.6 management guide, section 9.3.
"""

import asyncio
import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from opensdrs.domain.errors.kind import Cause, SiteFault

_TIMEOUT_S = 3.0
_SESSION = re.compile(
    r"listener=(?P<slot>\S+) .*?server=(?P<server>\S+) .*?req=0x\S+ \(.*?total=(?P<total>\d+)\)", re.S
)


class RelayControl:
    """Commands to one running HAProxy."""

    def __init__(self, site: str, path: Path) -> None:
        self._site = site
        self._path = path

    async def ask(self, commands: Sequence[str]) -> str:
        """Send commands as one batch, which HAProxy works off in order; return its answers. Raises: SiteFault."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                reader, writer = await asyncio.open_unix_connection(str(self._path))
                try:
                    writer.write("; ".join(commands).encode() + b"\n")
                    return (await reader.read()).decode(errors="replace")
                finally:
                    writer.close()
        except TimeoutError:
            raise SiteFault(self._site, "relay control", Cause.TIMEOUT, f"no answer within {_TIMEOUT_S} s") from None
        except OSError as error:
            raise SiteFault(self._site, "relay control", Cause.FAILED, f"the relay does not answer: {error}") from error

    async def tell(self, commands: Sequence[str]) -> None:
        """Send commands that answer nothing when they succeed. Raises: SiteFault FAILED with the relay's words."""
        for start in range(0, len(commands), 100):  # a command line must fit HAProxy's buffer of 16 KiB
            answer = (await self.ask(commands[start : start + 100])).strip()
            if answer:
                raise SiteFault(self._site, "relay control", Cause.FAILED, answer)

    async def read_map(self, path: Path) -> dict[str, str]:
        """Return a map as it is in the running process."""
        lines = (await self.ask([f"show map {path}"])).splitlines()
        rows = (line.split() for line in lines if line.startswith("0x"))
        return {row[1]: row[2] for row in rows if len(row) == 3}

    async def list_servers(self, backend: str) -> set[str]:
        """Return the names of a backend's servers."""
        lines = (await self.ask([f"show servers state {backend}"])).splitlines()
        rows = (line.split() for line in lines)
        return {row[3] for row in rows if len(row) > 5 and row[1] == backend}

    async def sent_bytes(self) -> dict[str, int]:
        """Return per slot what was sent to the peer since the relay was started.

        HAProxy counts a connection when it ends, so what the live ones have sent is added.
        """
        answer = await self.ask(["show stat -1 4 -1", "show sess all"])
        table, _, sessions = answer.partition("\n\n")
        rows = csv.DictReader(io.StringIO(table.lstrip("# ")))
        sent = {row["pxname"]: int(row["bin"]) for row in rows if row["svname"] == "dr"}
        for session in re.split(r"(?m)^0x", sessions):
            match = _SESSION.search(session)
            if match is not None and match["server"] == "dr":
                sent[match["slot"]] = sent.get(match["slot"], 0) + int(match["total"])
        return sent
