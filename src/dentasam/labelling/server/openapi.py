"""Writes the API's description: `python -m dentasam.labelling.server.openapi FILE`. The page's types come from it."""

import sys
from pathlib import Path

from dentasam.labelling.server.app import openapi_text


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m dentasam.labelling.server.openapi web/openapi.json", file=sys.stderr)
        return 2
    Path(arguments[0]).write_text(openapi_text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
