"""May this server be protected at all? What its attributes, which other services set, say against it. Source: A.1."""

from opensdrs.domain.errors import refused
from opensdrs.domain.infrastructure import Server


def check_attributes(server: Server) -> None:
    """Check what the infrastructure says of a production server.

    `locked`: true, or the name of the service that locked it. `local_disks`: data on disks of the host, which cannot be
    replicated. `extension_nics`: supplementary network interfaces, which have no counterpart at the other site.

    Raises: SDRS.1336, 1356, 1357, 1359.
    """
    locked = server.attributes.get("locked")
    if locked and isinstance(locked, str):
        raise refused("SDRS.1359", f"server {server.id} is locked by {locked}")
    if locked:
        raise refused("SDRS.1357", f"server {server.id}")
    if server.attributes.get("local_disks"):
        raise refused("SDRS.1356", f"server {server.id} has local disks")
    if server.attributes.get("extension_nics"):
        raise refused("SDRS.1336", f"server {server.id}")
