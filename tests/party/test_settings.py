from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from datwat.party.database import open_engine
from datwat.party.database_errors import DatabaseUrlError
from datwat.party.settings import (
    HomeExistsError,
    PartySettings,
    SecretError,
    SettingsError,
    change_settings,
    load_settings,
    read_secret,
    write_secret,
    write_settings,
)

VALUES: dict[str, str | int | bool] = {
    "id": "00000099000000001000:youth-help",
    "name": 'Jeugd "Noord" – é',
    "port": 8080,
}


def test_what_init_writes_is_read(tmp_path: Path) -> None:
    write_settings(tmp_path / "party", VALUES)
    settings = load_settings(PartySettings, tmp_path / "party")
    assert (settings.id, settings.name, settings.port) == tuple(VALUES.values())
    assert settings.database.endswith("/party/database/party.sqlite")
    assert settings.ratchet != Path(settings.database.removeprefix("sqlite:///")).parent
    assert (tmp_path / "party").stat().st_mode & 0o077 == 0
    with pytest.raises(HomeExistsError):
        write_settings(tmp_path / "party", VALUES)


@given(name=st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=200))
def test_any_name_survives(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    home = tmp_path_factory.mktemp("home")
    write_settings(home, {**VALUES, "name": name})
    assert load_settings(PartySettings, home).name == name


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_settings(tmp_path, VALUES)
    monkeypatch.setenv("DATWAT_DATABASE_URL", "postgresql://somewhere/x")
    monkeypatch.setenv("DATWAT_PORT", "9000")
    settings = load_settings(PartySettings, tmp_path)
    assert (settings.database, settings.port) == ("postgresql://somewhere/x", 9_000)
    assert "somewhere" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("DATWAT_DATABSE_URL", "variable DATWAT_DATABSE_URL. Is DATWAT_DATABASE_URL meant"),
        ("datwat_prt", "variable DATWAT_PRT. Is DATWAT_PORT meant"),
        ("DATWAT_BROKERS_PORT", "variable DATWAT_BROKERS_PORT."),
        ("DATWAT_BROKER_PROT", "variable DATWAT_BROKER_PROT."),
        ("DATWAT_", "variable DATWAT_. Correct it"),
        ("DATWAT_" + "X" * 90, f"variable DATWAT_{'X' * 57}. Correct"),
    ],
)
def test_a_variable_that_nobody_reads_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    write_settings(tmp_path, VALUES)
    for others in ("DATWAT_STAFF_ROLE_CLAIM", "DATWAT_TOKEN_FILE", "DATWATER", "PORT"):
        monkeypatch.setenv(others, "x")
    for part in ("SERVICE_HOST", "SERVICE_PORT_API", "PORT", "PORT_8443_TCP_ADDR"):
        monkeypatch.setenv(f"DATWAT_BROKER_{part}", "x")  # as Kubernetes tells of a service
    load_settings(PartySettings, tmp_path)
    monkeypatch.setenv(name, "postgresql://u:secret@h/d")
    with pytest.raises(SettingsError, match=words) as caught:
        load_settings(PartySettings, tmp_path)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["a%20b", "a?b", "%2e%2e", "a#b", "u:p@h", "é", "%00"])
def test_the_file_lies_in_the_home_however_that_is_called(tmp_path: Path, name: str) -> None:
    write_settings(tmp_path / name, VALUES)
    engine = open_engine(load_settings(PartySettings, tmp_path / name).database)
    with engine.connect() as conn:
        conn.execute(text("CREATE TABLE held (x)"))
    engine.dispose()
    assert (tmp_path / name / "database" / "party.sqlite").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_home_whose_name_is_no_utf8_is_refused_in_words(tmp_path: Path) -> None:
    home = tmp_path / "\udcff"
    write_settings(home, VALUES)
    with pytest.raises(DatabaseUrlError, match="UTF-8"):
        _ = load_settings(PartySettings, home).database


def test_change_keeps_the_rest(tmp_path: Path) -> None:
    write_settings(tmp_path, VALUES)
    change_settings(tmp_path, {"port": 1})
    settings = load_settings(PartySettings, tmp_path)
    assert (settings.port, settings.name) == (1, VALUES["name"])


def test_changes_at_once_all_count(tmp_path: Path) -> None:
    names = ("port", "max_requests", "max_body_bytes", "url")
    write_settings(tmp_path, {**VALUES, "max_requests": 1_000})
    begin = threading.Barrier(len(names))

    def change(name: str, value: str | int) -> None:
        begin.wait()
        change_settings(tmp_path, {name: value})

    for turn in range(900, 925):
        values = (turn, turn, 9_000 + turn, f"https://partner.example/{turn}")
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(change, names, values))
        settings = load_settings(PartySettings, tmp_path)
        held = (settings.port, settings.max_requests, settings.max_body_bytes, settings.url)
        assert held == values


def test_a_home_that_stood_open_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    write_settings(tmp_path, VALUES)
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "settings.toml").stat().st_mode & 0o777 == 0o600
    with pytest.raises(HomeExistsError):
        write_settings(tmp_path, VALUES)


def test_what_is_changed_is_private_from_its_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_settings(tmp_path, VALUES)
    left = tmp_path / "settings.new"
    left.write_text("")
    left.chmod(0o644)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)  # it may not be made so only afterwards
    with left.open() as others:
        change_settings(tmp_path, {"database_url": "postgresql://u:pw@h/d"})
        assert "pw" not in others.read()
    assert (tmp_path / "settings.toml").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("id = ", "not TOML"),
        ('name = "x"', "Setting id"),
        ('id = "not-an-oin"\nname = "x"', "Setting id"),
        ('id = "00000099000000001000:x1"\nname = "x"\nport = "no"', "Setting port"),
        ('id = "00000099000000001000:x1"\nname = "x"\nsecret = "no"', "Setting secret"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, written: str, words: str) -> None:
    (tmp_path / "settings.toml").write_text(written)
    with pytest.raises(SettingsError, match=words):
        load_settings(PartySettings, tmp_path)


def test_a_home_without_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="init"):
        load_settings(PartySettings, tmp_path)
    with pytest.raises(SettingsError, match="init"):
        change_settings(tmp_path, {"port": 1})


def test_secrets_are_for_their_owner(tmp_path: Path) -> None:
    write_secret(tmp_path, "key", b"hush")
    assert read_secret(tmp_path, "key") == b"hush"
    with pytest.raises(SecretError):
        write_secret(tmp_path, "key", b"other")
    (tmp_path / "secrets" / "key").chmod(0o640)
    with pytest.raises(SecretError, match="chmod"):
        read_secret(tmp_path, "key")
    with pytest.raises(SecretError, match="missing"):
        read_secret(tmp_path, "none")
    write_secret(tmp_path, "void", b"")
    with pytest.raises(SecretError, match="empty"):
        read_secret(tmp_path, "void")
