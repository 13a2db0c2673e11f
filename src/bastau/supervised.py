"""A command of `bastau up`: `python -m bastau.supervised COMMAND ...`, which ends when its supervisor does."""

import sys

from bastau.cli import main
from bastau.supervising import ending_with_parent

if __name__ == "__main__":
    with ending_with_parent():
        code = main()
    sys.exit(code)
