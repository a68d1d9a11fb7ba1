"""How fast guard is, measured beside other tools: `make bench`, or `python -m benchmarks.run --help`."""
