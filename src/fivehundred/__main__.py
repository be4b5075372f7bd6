"""``python -m fivehundred`` is the command ``fivehundred``."""

import sys

from fivehundred.cli import main

sys.exit(main())
