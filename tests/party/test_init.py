"""`init` and the commands after it: which home is whose, and that a failed one leaves nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datwat.cli import run

SECRET = "tulip"
_WHO = ("--by", "d.baas", "--role", "directeur", "--reason", "Het is nog niet veilig.")
KEY_HOLDER = ("--id", "00000099000000002000:key-holder", "--name", "K", "--url", "http://a.example")
COMMANDS = [
    ("broker", "status"),
    ("broker", "serve"),
    ("special", "list"),
    ("connector", "check"),
    ("connector", "serve"),
    ("portal", "status"),
    ("portal", "serve"),
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    assert run(["keyholder", "init", "--home", str(tmp_path / "kh"), *KEY_HOLDER]) == 0
    return tmp_path / "kh"


@pytest.mark.parametrize(("party", "command"), COMMANDS)
def test_the_home_of_another_kind_of_party_is_named(
    home: Path, party: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([party, command, "--home", str(home)]) == 1
    said = capsys.readouterr().err
    assert f"{home} is the home of a `keyholder`, not of a `" in said
    assert "use `datwat keyholder …`" in said


@pytest.mark.parametrize(("party", "command"), [*COMMANDS, ("keyholder", "status")])
def test_a_home_that_is_not_there_says_what_makes_one(
    tmp_path: Path, party: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    maker = "broker" if party == "special" else party
    for home, what in ((tmp_path / "nope", "is no folder"), (tmp_path, "holds no settings.toml")):
        assert run([party, command, "--home", str(home)]) == 1
        said = capsys.readouterr().err
        assert f"{home} {what}: `datwat {maker} init` makes a home" in said


def test_its_own_home_is_only_not_running(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keyholder", "status", "--home", str(home)]) == 1
    assert "is not running" in capsys.readouterr().err


def test_a_home_whose_settings_say_nothing_of_it_is_taken(home: Path) -> None:
    settings = home / "settings.toml"
    old = [line for line in settings.read_text().splitlines() if not line.startswith("party")]
    settings.write_text("\n".join(old))
    assert run(["broker", "status", "--home", str(home), "--json"]) == 1  # not running


@pytest.mark.parametrize("content", ["party = ", "\udcff"])
def test_settings_that_are_not_toml_are_named(
    home: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "settings.toml").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert run(["keyholder", "status", "--home", str(home)]) == 1
    assert f"{home / 'settings.toml'} is not TOML" in capsys.readouterr().err


def test_an_init_that_fails_can_be_done_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = str(tmp_path / "kh")
    wrong = ["--id", "bad", *KEY_HOLDER[2:]]
    assert run(["keyholder", "init", "--home", home, *wrong]) == 1
    assert "Setting id: Write a partner's id" in capsys.readouterr().err
    assert run(["keyholder", "init", "--home", home, *KEY_HOLDER, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert json.loads(Path(made["card"]).read_text())["role"] == "key_holder"


BROKER = ["--id", "00000099000000003000:broker", "--name", "B", "--url", "http://a.example"]
PROVIDER = ["--issuer", "http://a.example", "--client-id", "x"]
AWAY = f"postgresql://{SECRET}:{SECRET}@127.0.0.1:1/{SECRET}"
HALFWAY = {
    "keyholder-url": (["keyholder", *KEY_HOLDER[:4], "--url", "a.example"], "begins with http://"),
    "connector-domain": (
        ["connector", *KEY_HOLDER[:4], "--domain", "Youth Help"],
        "Write a name in lower case",
    ),
    "connector-url": (
        ["connector", *KEY_HOLDER[:4], "--domain", "youth", "--url", "ftp://a.example"],
        "begins with http://",
    ),
    "portal-contact": (
        ["portal", *KEY_HOLDER, *PROVIDER, "--contact", "a\nb"],
        "Write text on one line",
    ),
    "witness-url": (["witness", *KEY_HOLDER[:2], "--name", "w", "--url", "x"], "begins with http"),
    "broker-origin": (
        ["broker", *BROKER, "--bundle", "none", "--origin", "a log/1"],
        "Write the name of a key: without spaces",
    ),
    "broker-database": (
        ["broker", *BROKER, "--bundle", "none", "--origin", "a/1", "--database-url", "nonsense"],
        "must be sqlite:///FILE or postgresql://",
    ),
    "broker-server": (
        ["broker", *BROKER, "--bundle", "none", "--origin", "a/1", "--database-url", AWAY],
        "No PostgreSQL server answers",
    ),
}


@pytest.mark.parametrize(("line", "words"), HALFWAY.values(), ids=HALFWAY)
@pytest.mark.parametrize("held", [None, "notes.txt"])
def test_an_init_that_fails_halfway_leaves_nothing_behind(
    tmp_path: Path,
    line: list[str],
    words: str,
    held: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = tmp_path / "home"
    if held is not None:
        (home / "database").mkdir(parents=True)
        (home / held).write_text("mine")
    assert run([line[0], "init", "--home", str(home), *line[1:]]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert SECRET not in said
    if held is None:
        assert not home.exists()
    else:
        assert sorted(path.name for path in home.rglob("*")) == ["database", held]


def test_an_option_that_does_not_hold_is_no_matter_of_a_file_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["keyholder", "init", "--home", str(tmp_path / "kh"), "--id", "bad", *KEY_HOLDER[2:]]
    assert run(line) == 1
    said = capsys.readouterr().err
    assert "Correct the option" in said
    assert "settings.toml" not in said


def test_a_secret_that_is_not_there_leaves_no_home(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, secret = tmp_path / "portal", tmp_path / "no-secret"
    line = ["portal", "init", "--home", str(home), *KEY_HOLDER, "--issuer", "http://a.example"]
    line += ["--client-id", "x", "--client-secret-file", str(secret)]
    assert run(line) == 1
    assert str(secret) in capsys.readouterr().err
    assert not home.exists()


@pytest.mark.parametrize(
    ("right", "words"),
    [
        ("Jeugdwet 7.2.1;youth", "three parts"),
        ("Jeugdwet 7.2.1;youth;ask", "the classes: Choose one of these values: register"),
        ("Jeugdwet 7.2.1;My Youth;self", "whose BSN: Write a name in lower case"),
        (";youth;self", "the law: Write text on one line that is not empty"),
    ],
)
def test_a_right_that_is_none_says_which_part(
    tmp_path: Path, right: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["connector", "init", "--home", str(tmp_path / "home"), *KEY_HOLDER[:4]]
    assert run([*line, "--domain", "youth", "--bsn-right", right]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


def test_a_moment_that_is_none_is_said_before_anybody_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["special", "renew", "1", "--home", str(tmp_path), "--until", "tomorrow", *_WHO]
    assert run(line) == 2
    said = capsys.readouterr().err
    assert "--until" in said
    assert "in UTC, in whole seconds, as 2026-01-31T12:00:00Z." in said
