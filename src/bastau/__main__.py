"""``python -m bastau``."""

import sys

from bastau.cli import main

sys.exit(main())
