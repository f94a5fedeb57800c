"""`python -m policycliff`: the same as the `policycliff` command."""

from policycliff.cli.main import main

if __name__ == "__main__":
    main()
