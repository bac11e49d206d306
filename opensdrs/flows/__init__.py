"""Flows: one module per family of job types, ordered idempotent steps that bring about what was admitted."""
