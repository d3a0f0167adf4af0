"""The entry of the `slipway` command."""

import os
import sys
from pathlib import Path


def main() -> None:
    try:
        from slipway.command_line import app  # half a second in which Ctrl-C shall not show a traceback
        from slipway.session import Surroundings

        app(obj=Surroundings(os.environ, Path.cwd()), prog_name="slipway")
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
