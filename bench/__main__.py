"""`./run bench [name ...]`: run the named measurements, or all."""

import asyncio
import sys

from bench.failover import bench_failover

BENCHES = {"failover": bench_failover}


def main(names: list[str]) -> int:
    """Run measurements by name; return the exit status."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"no such measurement: {', '.join(unknown)}; there are: {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    for name in names or BENCHES:
        asyncio.run(BENCHES[name]())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
