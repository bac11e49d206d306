"""The `sdrs` command: a typed HTTP client of the control plane and its output. It knows the API and nothing else."""
