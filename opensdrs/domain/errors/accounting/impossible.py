"""Codes that cannot happen in OpenSDRS, and what stands in their place."""

_PROTECTED_STATUS = "of the older API, where protection had a status of its own; wrong states of a group are SDRS.1002"
_CREATION_STATE = "of the older API, which wanted a stopped group; 5.5.1 allows both, other states are SDRS.1002"
_SEALED = "a token is sealed by this service and names user, project and domain; any other is refused with 401"
_ALL_SITES = "every project may use both sites of a domain"
_ONE_STATION = "instances and pairs have no station of their own: the group's counts"
_NO_EXTENSION_NIC = "extension NICs are refused with SDRS.1336 before an instance exists"

IMPOSSIBLE: dict[str, str] = {
    "0006": "the service asks nobody for tokens: it issues and reads its own",
    "0007": "the service needs no higher permission than it has",
    "0009": "the same as SDRS.0005 in another version of the API",
    "0011": "what the client of a site cannot do is a fault of the site: SDRS.0008 or the code of the job's step",
    "0014": _SEALED,
    "0015": _SEALED,
    "0016": _SEALED,
    "0214": "the same as SDRS.1601 in another version of the API",
    "0215": "there are no replication groups beside protection groups, and no request names one",
    "0217": "there is one type of drill, and no request names it",
    "0231": _ALL_SITES,
    "0232": _ALL_SITES,
    "0401": "the parts of a job are written in one transaction with it",
    "0402": "the parts of a job are not submitted; its steps are repeated where they stopped",
    "1011": "active-active domains are rows of the service's own database",
    "1017": _PROTECTED_STATUS,
    "1018": _PROTECTED_STATUS,
    "1019": _PROTECTED_STATUS,
    "1020": _PROTECTED_STATUS,
    "1021": _PROTECTED_STATUS,
    "1022": _PROTECTED_STATUS,
    "1023": _PROTECTED_STATUS,
    "1024": _PROTECTED_STATUS,
    "1025": _ONE_STATION,
    "1026": _ONE_STATION,
    "1315": _NO_EXTENSION_NIC,
    "1319": "the same as SDRS.1352 in another version of the API",
    "1323": _CREATION_STATE,
    "1324": "of the older API; an instance may be deleted in every settled state of its group, others are SDRS.1002",
    "1325": _CREATION_STATE,
    "1332": "an elastic IP belongs to a NIC and moves with it; nothing is added at the other site",
    "1337": _NO_EXTENSION_NIC,
    "1374": "dedicated hosts of the built-in cloud take every flavor",
    "1610": "a pair is renamed in one transaction; what else changes it has codes of its own (1820 - 1822)",
    "1804": "a pair that is not attached is SDRS.1604; a disk that went away makes its pair invalid",
    "1805": "a server may have disks that no pair copies; nothing is refused because of them",
    "1816": "of the older API, which extended only free disks; wrong states of the disks are SDRS.1817 and 1818",
    "1824": "a bug is SDRS.0013; a production site that cannot write is SDRS.1823",
    "1916": "the service chooses the ids of copies itself",
    "1918": "NICs are rows, deleted in one transaction with their server",
    "1927": "the subnets of a drill stay with its VPC (5.7.2)",
}
