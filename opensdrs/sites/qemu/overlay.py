"""A snapshot in its daemon: a writable overlay on what the source's daemon shows as it was.

Source: dataplane design, section 5, Drill.
"""

from pathlib import Path

from opensdrs.domain.ids import VolumeId
from opensdrs.sites.qemu.graph import FILE, TOP, VOL, VolumeGraph
from opensdrs.sites.qemu.qmp import OnEvent
from opensdrs.sites.qemu.settings import short_name

_RECONNECT_DELAY_S = 5  # the source's daemon is on the same host: if it is away for longer, the snapshot is lost


class OverlayGraph(VolumeGraph):
    """The graph of a snapshot: `vol` is a qcow2 file whose backing is the source's read-only export."""

    def __init__(
        self, site: str, volume_id: VolumeId, path: Path, run_dir: Path, source: Path, on_event: OnEvent | None = None
    ) -> None:
        super().__init__(site, volume_id, path, run_dir, on_event)
        self._overlay = path
        self._source = source
        self._fleece = self.fleece_name(volume_id)

    @staticmethod
    def fleece_name(volume_id: VolumeId) -> str:
        """Return the name of node, job and export at the source."""
        return f"fl-{short_name(volume_id)}"

    async def start(self) -> None:
        """Start the daemon with the gate shut."""
        self.shut_gate()
        server = {"type": "unix", "path": str(self._source)}
        await self.daemon.start(
            [
                {
                    "driver": "nbd",
                    "node-name": "source",
                    "server": server,
                    "export": self._fleece,
                    "read-only": True,
                    "reconnect-delay": _RECONNECT_DELAY_S,
                },
                {"driver": "file", "node-name": FILE, "filename": str(self._overlay), "discard": "unmap"},
                {"driver": "qcow2", "node-name": VOL, "file": FILE, "backing": "source", "discard": "unmap"},
                {"driver": "raw", "node-name": TOP, "file": VOL, "discard": "unmap"},
            ]
        )
