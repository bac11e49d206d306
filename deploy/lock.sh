#!/usr/bin/env bash
# Write the lock files anew, with hashes, for every Python that the project supports. Needs uv.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() { uv pip compile pyproject.toml --universal --generate-hashes --no-header --no-annotate --python-version 3.11 -q "$@"; }
compile --extra build -o requirements.lock
compile --extra build --extra test -c requirements.lock -o requirements-test.lock
