"""Names of files and addresses as they may be shown: one line that neither moves the cursor nor reverses."""

from thoth.system.terminal import printable


def shown(name: str) -> str:
    r"""Return the name with everything unsafe written as an escape, `\n` for example."""
    return printable(name).replace("\n", "\\n").replace("\t", "\\t")
