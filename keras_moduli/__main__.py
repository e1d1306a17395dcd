"""`python -m keras_moduli`, the same as the command `keras-moduli`."""

import sys

from keras_moduli.cli.parser import main

if __name__ == "__main__":
    sys.exit(main())
