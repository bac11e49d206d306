"""The composition root: configuration, processes; the only place where objects are built."""
