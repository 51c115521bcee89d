"""``python -m daskml_dist.cli``."""

import sys

from daskml_dist.cli.command import main

if __name__ == "__main__":  # workers are started by importing this module
    sys.exit(main())
