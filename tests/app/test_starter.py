"""The file that `tocsin init` writes: every line that is commented out is right, and shows the default it says."""

import re
from importlib.resources import files
from pathlib import Path

import pytest
import trustme
from argon2 import PasswordHasher

from tocsin.api.control.settings import ControlSettings
from tocsin.api.settings import ApiSettings, ConsoleSettings, LimitSettings
from tocsin.app.loading import load
from tocsin.app.settings import Configuration, GatewaySettings, LivenessSettings, RetentionSettings

STARTER = files("tocsin.config").joinpath("starter.toml").read_text(encoding="utf-8")
_SETTING = re.compile(r"^# ?(\[|\]|  \{|[a-z_]+ = )")


def uncommented() -> str:
    """The starter with every example switched on."""
    lines = [re.sub(r"^# ?", "", line) if _SETTING.match(line) else line for line in STARTER.splitlines()]
    return "\n".join(lines) + "\n"


@pytest.fixture
def everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    authority = trustme.CA()
    issued = authority.issue_cert("gw.example.net")
    authority.cert_pem.write_to_path(str(tmp_path / "arc-ca.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "gw.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "gw.key"))
    (tmp_path / "service.token").write_text("0123456789abcdef-service")
    (tmp_path / "arc.pw").write_text("a password of the station")
    (tmp_path / "eva.hash").write_text(PasswordHasher().hash("correct horse"))
    for name in ("PANEL_KEY", "ARC_KEY", "TOCSIN_TOKEN"):
        monkeypatch.setenv(name, "000102030405060708090a0b0c0d0e0f")
    monkeypatch.setenv("TOCSIN_DATABASE", "postgresql://tocsin@db.example.net/tocsin")
    file = tmp_path / "tocsin.toml"
    file.write_text(uncommented(), encoding="utf-8")
    loaded = load(file)
    assert loaded.settings is not None, [str(problem) for problem in loaded.problems]
    assert loaded.problems == ()
    return loaded.settings


def test_every_example_can_be_switched_on(everything: Configuration) -> None:
    assert [entry.name for entry in everything.destinations] == ["arc", "operators"]
    assert [entry.name for entry in everything.sources] == ["panels"]
    assert [token.name for token in everything.api.tokens] == ["detectors", "service"]


def test_what_is_commented_out_shows_the_default(everything: Configuration) -> None:
    assert everything.retention == RetentionSettings()
    assert everything.api.limits == LimitSettings()
    assert everything.console.session == ConsoleSettings().session
    assert everything.api.listen == ApiSettings().listen
    given = everything.gateway
    assert (given.name, given.public_url, given.time_zone) == (GatewaySettings().name, "", "UTC")
    assert Path(given.data_dir).name == GatewaySettings().data_dir


def test_every_setting_of_the_fixed_sections_is_shown() -> None:
    models = (GatewaySettings, ApiSettings, LimitSettings, ConsoleSettings, ControlSettings, RetentionSettings)
    for model in (*models, LivenessSettings):
        for name in model.model_fields:
            assert re.search(rf"^(# )?\[?(api\.)?{name}\b", STARTER, re.MULTILINE), f"{model.__name__}.{name}"
