"""DR drills: rows of the error catalogue.

Source: API reference, appendix A.1.
"""

from opensdrs.domain.errors.kind import ErrorKind

DRILLS: tuple[ErrorKind, ...] = (
    ErrorKind("SDRS.1900", 400, "Invalid DR drill ID", "The DR drill ID is invalid.", "Use a valid DR drill ID."),
    ErrorKind(
        "SDRS.1901", 400, "Null or empty DR drill ID", "The DR drill ID is null or empty.", "Use a valid DR drill ID."
    ),
    ErrorKind("SDRS.1902", 400, "DR drill not found", "The DR drill is not found.", "Use an available DR drill."),
    ErrorKind("SDRS.1904", 500, "Snapshot not found", "The snapshot is not found.", "Use an available snapshot."),
    ErrorKind(
        "SDRS.1905",
        500,
        "Failed to create a volume using the snapshot",
        "Failed to create a disk using the snapshot.",
        "Contact customer service.",
    ),
    ErrorKind(
        "SDRS.1906", 500, "Failed to delete the snapshot", "Failed to delete the snapshot.", "Contact customer service."
    ),
    ErrorKind(
        "SDRS.1907",
        400,
        "Drill VPC conflicts with the VPC of the protection group",
        "The drill VPC conflicts with the VPC of the protection group.",
        "Use a correct drill VPC.",
    ),
    ErrorKind(
        "SDRS.1908",
        400,
        "Drill VPC not have a subnet",
        "The drill VPC does not have a subnet.",
        "Use a correct VPC or create a subnet same as that in the VPC of the protection group. If the fault persists, contact customer service.",
    ),
    ErrorKind(
        "SDRS.1909",
        400,
        "Drill VPC not have the CIDR block",
        "The drill VPC does not have the CIDR block.",
        "Ensure that the drill VPC has the same CIDR block with the VPC of the protection group. If the fault persists, contact customer service.",
    ),
    ErrorKind(
        "SDRS.1910",
        400,
        "IP addresses in the drill VPC conflict",
        "The IP addresses in the drill VPC conflict.",
        "Contact customer service.",
    ),
    ErrorKind("SDRS.1911", 400, "Null or empty NIC", "The NIC is null or empty.", "Contact customer service."),
    ErrorKind(
        "SDRS.1912",
        500,
        "Failed to create the drill NIC",
        "Failed to create the drill NIC.",
        "Contact customer service.",
    ),
    ErrorKind(
        "SDRS.1913",
        400,
        "DR drill deletion not allowed in the current state",
        "The DR drill cannot be deleted in the current state.",
        "Perform this operation in the correct state and be clear about the operation restrictions.",
    ),
    ErrorKind(
        "SDRS.1914",
        500,
        "Drill server record not found",
        "The drill server record is not found.",
        "Contact customer service.",
    ),
    ErrorKind(
        "SDRS.1915",
        500,
        "Drill storage record not found",
        "The drill storage record is not found.",
        "Contact customer service.",
    ),
    ErrorKind("SDRS.1916", 500, "Invalid snapshot ID", "The snapshot ID is invalid.", "Contact customer service."),
    ErrorKind(
        "SDRS.1917",
        500,
        "Drill NIC record not found",
        "The drill NIC record is not found.",
        "Contact customer service.",
    ),
    ErrorKind(
        "SDRS.1918",
        500,
        "Failed to delete the drill NIC",
        "Failed to delete the drill NIC.",
        "Contact customer service.",
    ),
    ErrorKind(
        "SDRS.1919",
        500,
        "Failed to query the attachment information of the drill server",
        "Failed to query the attachment information of the drill server.",
        "Contact customer service.",
    ),
    ErrorKind(
        "SDRS.1920",
        500,
        "Null attachment information of the replication pair for creating the DR drill",
        "The attachment information of the replication pair for creating the DR drill is null.",
        "Contact customer service.",
    ),
    ErrorKind(
        "SDRS.1921",
        400,
        "Drill VPC is already used for creating a DR drill",
        "The drill VPC is already used for creating a DR drill.",
        "Use another available drill VPC.",
    ),
    ErrorKind(
        "SDRS.1922",
        400,
        "Failed to create the DR drill",
        "Failed to create the DR drill.",
        "Try again. If the fault persists, contact customer service.",
    ),
    ErrorKind(
        "SDRS.1923",
        400,
        "Failed to delete the DR drill",
        "Failed to delete the DR drill.",
        "Try again. If the fault persists, contact customer service.",
    ),
    ErrorKind(
        "SDRS.1924",
        400,
        "DR site VPC not have a subnet",
        "The DR site VPC does not have a subnet.",
        "Contact customer service.",
    ),
    ErrorKind(
        "SDRS.1925",
        400,
        "Failed to create the drill VPC",
        "Failed to create the drill VPC.",
        "Try again. If the fault persists, contact customer service.",
    ),
    ErrorKind(
        "SDRS.1926",
        400,
        "Failed to create the subnet in the drill VPC",
        "Failed to create the subnet in the drill VPC.",
        "Try again. If the fault persists, contact customer service.",
    ),
    ErrorKind(
        "SDRS.1927",
        400,
        "Failed to delete the subnet in the drill VPC",
        "Failed to delete the subnet in the drill VPC.",
        "Try again. If the fault persists, contact customer service.",
    ),
    ErrorKind("SDRS.1928", 400, "Failed to find the VPC", "Failed to find the VPC.", "Contact customer service."),
    ErrorKind(
        "SDRS.1929",
        400,
        "Insufficient VPC quota",
        "The VPC quota is insufficient.",
        "Delete unused VPCs or contact customer service to increase the VPC quota.",
    ),
    ErrorKind(
        "SDRS.1930",
        400,
        "Insufficient subnet quota",
        "The subnet quota is insufficient.",
        "Delete unused subnets or customer service to increase the subnet quota.",
    ),
)
