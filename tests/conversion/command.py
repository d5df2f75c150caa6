"""Running `convert-weights` in a test."""

from pathlib import Path

from typer.testing import CliRunner, Result

from convert.cli import app


def run(*arguments: object) -> Result:
    """The command's result."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def converts(*arguments: object) -> Result:
    """The command's result, which is success."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result


def fails(code: int, words: str, *arguments: object) -> None:
    """The command ends with `code`, says `words` in the last line of stderr, and leaves nothing behind."""
    place = Path(str(arguments[1])).parent
    before = sorted(place.iterdir())
    result = run(*arguments)
    assert result.exit_code == code, result.output
    *doing, line = result.stderr.splitlines()
    assert words in line, result.stderr
    assert len(doing) <= 1  # what is being done
    assert result.stdout == ""
    assert sorted(place.iterdir()) == before
