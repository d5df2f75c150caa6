"""Errors of a conversion; each message is one line that says what to do, each class has its exit code."""


class ConversionError(Exception):
    """The conversion failed."""

    exit_code = 1


class CheckpointError(ConversionError):
    """A checkpoint or base that is missing, damaged, or does not match."""

    exit_code = 5
