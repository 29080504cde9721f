"""Tests of Tocsin. Compiled modules are kept, whatever the shell says: each process of xdist, and each program that a
test starts, would compile everything anew, which takes as long as a third of the fast tests.
"""

import os
import sys

sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
