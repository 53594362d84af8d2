"""Print the slug of a title."""

import re
import sys


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: slug.py TITLE", file=sys.stderr)
        return 2
    print(re.sub(r"[\W_]+", "-", sys.argv[1].lower()).strip("-"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
