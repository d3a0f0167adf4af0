"""`python -m settings schema` prints the JSON schema of slipway.yaml."""

import json
import sys

from settings.schema import schema


def main(arguments: list[str]) -> int:
    """Print the JSON schema; any other request is answered with how to ask."""
    if arguments != ["schema"]:
        print("usage: python -m settings schema", file=sys.stderr)
        return 2
    print(json.dumps(schema(), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
