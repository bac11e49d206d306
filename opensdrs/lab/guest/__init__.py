"""The guest of the lab: a small bootable Linux whose ledger proves which acknowledged writes survived."""
