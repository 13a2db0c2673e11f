"""A command of `bastau up`: `python -m bastau.supervised COMMAND ...`, which ends when its supervisor does."""

import sys

from bastau.cli import main
from bastau.supervising import end_with_parent

if __name__ == "__main__":
    end_with_parent()
    sys.exit(main())
