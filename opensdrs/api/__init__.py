"""The SDRS wire: routes, request bodies and queries to services, rows to JSON, refusals to error bodies."""
