"""What an operator may choose about the API."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """`not_found_status`: 400 as the reference's error table says, or 404 for clients that only know that (MATRIX A1).

    `public_url` is what version links start with; None: as the request came in. `max_body_bytes` is the gateway's
    limit; `max_json_depth` is far above what any body needs.
    """

    not_found_status: Literal[400, 404] = 400
    public_url: str | None = None
    max_body_bytes: int = 12 * 1024 * 1024
    max_json_depth: int = 32
