"""The laboratory: two sites and a control plane on one machine, seeded; and the demo that tells its story on it."""
