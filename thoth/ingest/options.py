"""What a person decides about reading a document; what is not decided is off."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """How a document is read.

    Attributes:
        recognize: whether pages that are pictures are read by text recognition (OCR), where it is installed.
        allow_private: whether an address may be of this machine or its own network. A person must have said so:
            a model's request, or a page's redirection, is no reason.
    """

    recognize: bool = False
    allow_private: bool = False


DEFAULT = Options()
