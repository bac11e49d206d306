"""What every process of the service needs: a server in its event loop, and a log."""
