"""The command line: parse arguments, call, write, exit. One module per command."""
