"""`python -m guard`: the same command as the console script."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        # Python has put the current folder first, and that is the checked one: a `click.py` in it would be imported.
        del sys.path[0]

    from guard.cli.main import main

    main()
