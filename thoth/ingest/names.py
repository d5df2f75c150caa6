"""Names of files and addresses as they may be shown."""

from thoth.system.terminal import shown

__all__ = ["shown"]
