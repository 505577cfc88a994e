"""All benchmarks, one after the other: `make bench`."""

import subprocess
import sys

BENCHMARKS = ("weight_change", "weight_change_api", "many_paths", "unfailing", "scale")


def main() -> None:
    """Run each as its own process; the first that fails ends it."""
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"bench.{name}", *sys.argv[1:]], check=False)
        if done.returncode:
            raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
