"""The built-in cloud: servers, volumes and networks of both sites, which SDRS protects but does not own."""
