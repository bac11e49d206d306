"""One class per resource: check (raises, no effect), then admit (resource and job change in one transaction)."""
