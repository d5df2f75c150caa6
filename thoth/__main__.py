"""The `thoth` command, and `python -m thoth`: the terminal app where nothing is said, else the command line."""

import gc
import sys


def main() -> None:
    """Run one of the two; the entry point of `thoth`."""
    try:
        _run()
    except KeyboardInterrupt:  # while it imports what it needs; commands have their own way to stop
        sys.exit(130)


def _run() -> None:
    # Where these are installed transformers would import them: torch takes longer than all the rest together.
    for unused in ("torch", "mistral_common"):
        sys.modules.setdefault(unused, None)  # type: ignore[arg-type]
    if len(sys.argv) == 1 and sys.stdin.isatty() and sys.stdout.isatty():
        # Nothing made until the first paint is garbage, and looking for some takes a tenth of that time.
        gc.disable()  # the main screen enables it again
        from thoth.tui.app import run  # not by way of the command line, whose imports are 0.1 s of the start

        try:
            run()
        except Exception as error:  # as in the command line
            from thoth import cli

            sys.exit(cli.explain(error))
    else:
        # Imports make no garbage; looking for some after each 700 objects takes 7% of an answer.
        gc.set_threshold(10_000)
        from thoth import cli

        cli.main()


if __name__ == "__main__":
    main()
