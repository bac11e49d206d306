"""The relay's HAProxy configuration: pure text. Everything that changes at run time goes through its control socket.

Every slot starts in *hold* (both servers disabled): a relay that was restarted forwards nothing and fails nothing
until the agent has said what is to be done.

Source: dataplane design, section 4; HAProxy 2.6 configuration manual.
"""

from dataclasses import dataclass
from pathlib import Path

from opensdrs.domain.ids import PairId, SiteName
from opensdrs.sites.qemu.settings import QemuSiteSettings, relay_name, short_name

HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True)
class RelayPaths:
    """The relay's files in the run directory."""

    run_dir: Path

    @property
    def config(self) -> Path:
        """HAProxy's configuration."""
        return self.run_dir / "relay.cfg"

    @property
    def control(self) -> Path:
        """HAProxy's control socket."""
        return self.run_dir / "relay.ctl"

    @property
    def names(self) -> Path:
        """Map: slot -> the name that is asked for at the peer."""
        return self.run_dir / "names.map"

    @property
    def replicas(self) -> Path:
        """Map: the name that a peer asks for -> server of this site."""
        return self.run_dir / "replicas.map"

    @property
    def eio(self) -> Path:
        """The server that answers every request with EIO."""
        return self.run_dir / "eio.s"

    @property
    def heartbeat(self) -> Path:
        """Where this site's agent answers its peers."""
        return self.run_dir / "beat.s"

    def slot(self, slot: str) -> Path:
        """Where the local daemon finds a slot."""
        return self.run_dir / f"{slot}.s"


def slot_name(peer: SiteName, number: int) -> str:
    """Return the name of one of the slots towards a peer."""
    return f"s{short_name(peer)[:6]}-{number}"


def heartbeat_slot(peer: SiteName) -> str:
    """Return the name of the slot that leads to a peer's agent."""
    return f"h{short_name(peer)[:6]}"


def replica_server(pair_id: PairId) -> str:
    """Return the name of a replica in the relay of the site that holds it."""
    return f"r{short_name(pair_id)}"


def public_name(site: SiteName, server: str) -> str:
    """Return the name by which a peer asks for what `site` serves; its certificate is good for it."""
    return f"{server}.{relay_name(site)}"


def render(settings: QemuSiteSettings) -> str:
    """Return the configuration of a site's relay."""
    paths = RelayPaths(settings.run_dir)
    slots = [(slot_name(peer, i), peer) for peer in settings.peers for i in range(settings.relay_slots)]
    beats = [(heartbeat_slot(peer), peer) for peer in settings.peers]
    binds = [f"    bind unix@{paths.slot(slot)} name {slot} mode 600" for slot, _ in [*beats, *slots]]
    backends = [_backend(settings, paths, slot, peer) for slot, peer in slots]
    backends += [_heartbeat_backend(settings, slot, peer) for slot, peer in beats]
    frontend = ["frontend slots", *binds, "    use_backend %[so_name]"] if binds else []
    return "\n".join([_head(settings, paths), *frontend, *backends, _link(settings, paths), ""])


def _head(settings: QemuSiteSettings, paths: RelayPaths) -> str:
    maxconn = 256 + 8 * settings.relay_slots * max(1, len(settings.peers))
    return f"""global
    nbthread 1
    maxconn {maxconn}
    stats socket {paths.control} mode 600 level admin
    stats timeout 10s
defaults
    mode tcp
    timeout connect 3s
    timeout client 20d
    timeout server 20d
    timeout queue 1s
    retries 0
    option clitcpka
    option srvtcpka"""


def _peer_server(settings: QemuSiteSettings, peer: SiteName, sni: str) -> str:
    address = settings.peers[peer]
    certificates = settings.certificates
    return (
        f"{address.host}:{address.port} ssl verify required ca-file {certificates.authority} "
        f"crt {certificates.bundle} ssl-min-ver TLSv1.3 sni {sni}"
    )


def _backend(settings: QemuSiteSettings, paths: RelayPaths, slot: str, peer: SiteName) -> str:
    # nolinger: what was on its way when a slot was switched off must not arrive later, after newer writes.
    dr = _peer_server(settings, peer, f"so_name,map({paths.names})")
    return f"""backend {slot}
    option nolinger
    server dr {dr} on-marked-down shutdown-sessions disabled
    server eio unix@{paths.eio} backup on-marked-down shutdown-sessions disabled"""


def _heartbeat_backend(settings: QemuSiteSettings, slot: str, peer: SiteName) -> str:
    return f"""backend {slot}
    option nolinger
    server dr {_peer_server(settings, peer, f"str({public_name(peer, HEARTBEAT)})")}"""


def _link(settings: QemuSiteSettings, paths: RelayPaths) -> str:
    listen, certificates = settings.relay_listen, settings.certificates
    # weight 0 and use-server: load balancing must never choose another pair's replica.
    return f"""frontend link
    bind {listen.host}:{listen.port} ssl crt {certificates.bundle} ca-file {certificates.authority} \
verify required ssl-min-ver TLSv1.3
    tcp-request content reject unless {{ ssl_fc_sni,lower,map({paths.replicas}) -m found }}
    use_backend replicas
backend replicas
    server {HEARTBEAT} unix@{paths.heartbeat} weight 0
    use-server %[ssl_fc_sni,lower,map({paths.replicas})] if TRUE"""
