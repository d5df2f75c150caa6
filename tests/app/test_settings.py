"""Which model: flag, environment, file, default; and a file with mistakes is refused."""

from pathlib import Path

import pytest

from thoth import settings
from thoth.errors import UsageError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


def test_order_of_precedence(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.model_name(None, file) == "nano"
    file.write_text('model = "from-file"')
    assert settings.model_name(None, file) == "from-file"
    monkeypatch.setenv("THOTH_MODEL", "from-environment")
    assert settings.model_name(None, file) == "from-environment"
    assert settings.model_name("from-flag", file) == "from-flag"


@pytest.mark.parametrize(
    ("text", "says"), [("modell = 'x'", "modell"), ("model = 3", "string"), ("model", "cannot read")]
)
def test_mistakes_are_refused(file: Path, text: str, says: str) -> None:
    file.write_text(text)
    with pytest.raises(UsageError, match=says):
        settings.load(file)
