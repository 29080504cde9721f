"""Run the command line as `python -m tocsin`."""

from tocsin.cli import main

main()
