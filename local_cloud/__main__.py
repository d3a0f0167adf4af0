"""Run the local cloud: `python -m local_cloud --port 4566 --state-dir .slipway/local-cloud`."""

import argparse
import gc
import os
import sys
from pathlib import Path

from local_cloud import server


def main() -> int:
    parser = argparse.ArgumentParser(prog="local_cloud", description="AWS on this machine, on loopback.")
    parser.add_argument("--port", type=int, default=4566, help="on 127.0.0.1; 0 takes any free one (default: 4566)")
    parser.add_argument("--state-dir", type=Path, required=True, help="where everything is kept")
    arguments = parser.parse_args()
    try:
        listener = server.bind(arguments.port)
    except server.PortInUseError as error:
        print(f"local_cloud: {error}; choose another with --port, or 0 for any free one", file=sys.stderr)
        return 1
    state_dir = arguments.state_dir.resolve()
    try:
        with server.sole_use(state_dir):
            decisions = os.environ.get("LOCAL_CLOUD_DECISIONS")
            log_level = os.environ.get("LOG_LEVEL", "WARNING")
            server.run(listener, state_dir, log_level, Path(decisions) if decisions else None)
    except server.StateInUseError as error:
        print(f"local_cloud: {error}; stop it first, or choose another --state-dir", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    status = main()
    gc.freeze()  # Python would look through everything once more before it ends, for half a second
    sys.exit(status)
