"""Sites: everything that happens at one availability zone. `base.py` is the protocol; the drivers stand beside it."""
