"""`python -m thoth` is the `thoth` command."""

from thoth.cli import main

if __name__ == "__main__":
    main()
