"""`python -m guard`: the same command as the console script."""

from guard.cli.main import main

if __name__ == "__main__":
    main()
