"""OpenSDRS: open, self-hosted storage disaster recovery."""
