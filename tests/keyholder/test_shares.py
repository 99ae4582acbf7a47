"""Shares of the scalar in files: two of three bring it back; what is wrong changes nothing."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from datwat.party.database import open_engine
from datwat.party.running import AlreadyRunningError, holding_process
from datwat.party.settings import change_settings
from datwat.protocol import group
from datwat.protocol.errors import DatwatError
from datwat.protocol.trust import Card
from keyholder.cli import app
from keyholder.errors import SharesError
from tests.conftest import open_database
from tests.keyholder.world import run
from tests.party.covenant import KEY_HOLDER_ID

OTHER_ID = "00000099000000002001:key-holder"


def make_home(folder: Path, party: str = KEY_HOLDER_ID) -> Path:
    run("init", "--home", str(folder), "--id", party, "--name", "KH", "--url", "http://127.0.0.1:1")
    return folder


def serve_once(home: Path) -> None:
    with holding_process(home, 1):
        pass


def back_up(home: Path, folder: Path) -> list[Path]:
    said = run("backup", "--home", str(home), "--out", str(folder))
    assert said["needed"] == 2
    return [Path(path) for path in said["shares"]]


def restore(home: Path, *shares: Path) -> dict[str, Any]:
    return run("restore", "--home", str(home), *map(str, shares))


def read_scalar(home: Path, epoch: int = 1) -> str:
    return (home / "secrets" / f"scalar-{epoch}").read_text()


def read_all(home: Path) -> dict[Path, bytes]:
    """Return what every file of the home holds; a lock is none of them."""
    files = [path for path in home.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {path: path.read_bytes() for path in files}


def refuse(home: Path, *shares: Path) -> str:
    """Return what is said of shares that do not fit; nothing in the home changes."""
    before = read_all(home)
    result = CliRunner().invoke(app, ["restore", "--home", str(home), *map(str, shares)])
    assert isinstance(result.exception, SharesError), result.output
    assert read_all(home) == before
    return result.exception.detail


def change(path: Path, **members: Any) -> None:  # noqa: ANN401 - members of the file
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **members}))


def change_share(path: Path, **members: Any) -> None:  # noqa: ANN401 - members of a share
    (share,) = json.loads(path.read_text())["scalars"]
    change(path, scalars=[{**share, **members}])


@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (1, 2), (2, 0)])
def test_any_two_bring_the_scalar_back_into_a_new_home(
    tmp_path: Path, pair: tuple[int, int]
) -> None:
    lost = make_home(tmp_path / "lost")
    shares = back_up(lost, tmp_path / "shares")
    scalar, card = read_scalar(lost), Card.model_validate_json((lost / "card.json").read_bytes())
    shutil.rmtree(lost)
    home = make_home(tmp_path / "new")
    assert read_scalar(home) != scalar
    said = restore(home, *(shares[place] for place in pair))
    assert said["epochs"] == [1]
    assert read_scalar(home) == scalar
    new = Card.model_validate_json((home / "card.json").read_bytes())
    assert new.key_holder is not None
    assert card.key_holder is not None
    assert new.key_holder.epochs == card.key_holder.epochs
    assert restore(home, shares[0], shares[1])["epochs"] == [1]  # again changes nothing


def test_the_files_are_for_their_owner_and_hold_no_scalar(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    shares = back_up(home, tmp_path / "shares")
    scalar = bytes.fromhex(read_scalar(home))
    for path in shares:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        (share,) = json.loads(path.read_text())["scalars"]
        assert share["epoch"] == 1
        assert scalar.hex() not in path.read_text()
    values = [json.loads(path.read_text())["scalars"][0]["value"] for path in shares]
    assert len(set(values)) == 3


def test_a_scalar_that_was_lost_comes_back_into_its_home(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    shares, scalar = back_up(home, tmp_path / "shares"), read_scalar(home)
    serve_once(home)
    (home / "secrets" / "scalar-1").unlink()
    assert restore(home, shares[0], shares[2])["epochs"] == [1]
    assert read_scalar(home) == scalar
    path = home / "secrets" / "scalar-1"
    path.write_text("no scalar")
    assert restore(home, shares[1], shares[2])["epochs"] == [1]
    assert read_scalar(home) == scalar


def test_what_is_wrong_with_shares_is_said_and_nothing_changes(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    one, two, three = back_up(home, tmp_path / "shares")
    again = back_up(home, tmp_path / "again")
    other = back_up(make_home(tmp_path / "other", OTHER_ID), tmp_path / "of-another")
    empty = make_home(tmp_path / "empty")
    assert "alone says nothing" in refuse(empty, one)
    assert "named twice" in refuse(empty, one, one)
    assert OTHER_ID in refuse(empty, one, other[1])
    assert "not made together" in refuse(empty, one, again[1])
    assert "is not there" in refuse(empty, one, tmp_path / "nothing.json")
    (tmp_path / "text.json").write_text("{}")
    assert "is no share" in refuse(empty, one, tmp_path / "text.json")
    change_share(two, value="A" * 42 + "E")
    assert f"{two} is damaged" in refuse(empty, one, two)
    change(three, number=2)
    assert f"{three} is damaged" in refuse(empty, one, three)


@pytest.mark.parametrize("left", ["run", "database", "ratchet", "trust"])
def test_a_home_that_served_keeps_its_scalar(tmp_path: Path, left: str) -> None:
    first, second = make_home(tmp_path / "first"), make_home(tmp_path / "second")
    shares = back_up(first, tmp_path / "shares")
    serve_once(second)
    if left != "run":  # which no backup has
        (second / left).mkdir()
        shutil.rmtree(second / "run")
    assert "another scalar of epoch 1" in refuse(second, shares[0], shares[1])


def test_a_home_whose_database_on_a_server_has_tables_or_is_away_has_served(
    tmp_path: Path, postgres_url: str
) -> None:
    first, second = make_home(tmp_path / "first"), make_home(tmp_path / "second")
    shares = back_up(first, tmp_path / "shares")
    with open_database(postgres_url) as url:
        engine = open_engine(url)
        change_settings(second, {"database_url": url})
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE rotation (id integer)"))
        assert "another scalar of epoch 1" in refuse(second, shares[0], shares[1])
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE rotation"))
        engine.dispose()
        change_settings(second, {"database_url": "postgresql://nobody@127.0.0.1:1/none"})
        assert "another scalar of epoch 1" in refuse(second, shares[0], shares[1])
        change_settings(second, {"database_url": url})
        assert restore(second, shares[0], shares[1])["epochs"] == [1]


def test_two_epochs_are_kept_and_brought_back_together(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    scalar = home / "secrets" / "scalar-2"
    scalar.write_text(group.random_scalar().hex())
    scalar.chmod(0o600)
    shares = back_up(home, tmp_path / "shares")
    new = make_home(tmp_path / "new")
    assert restore(new, shares[0], shares[1])["epochs"] == [1, 2]
    assert [read_scalar(new, n) for n in (1, 2)] == [read_scalar(home, n) for n in (1, 2)]


def write(home: Path, epoch: int, content: str | None = None) -> None:
    path = home / "secrets" / f"scalar-{epoch}"
    path.write_text(group.random_scalar().hex() if content is None else content)
    path.chmod(0o600)


@pytest.mark.parametrize("has_served", [True, False])
def test_no_home_comes_to_have_three_scalars(tmp_path: Path, has_served: bool) -> None:
    home = make_home(tmp_path / "home")
    write(home, 3)
    shares = back_up(home, tmp_path / "shares")  # made in the rotation 1 -> 3
    for epoch in (1, 3):
        (home / "secrets" / f"scalar-{epoch}").unlink()
    write(home, 4)
    if not has_served:
        assert restore(home, *shares[:2])["epochs"] == [1, 3]  # in place of the other
        return
    serve_once(home)
    assert "1, 3 and 4" in refuse(home, *shares[:2])
    write(home, 4, "no scalar")  # damaged, it is still the one that this home serves with
    assert "1, 3 and 4" in refuse(home, *shares[:2])


def test_shares_of_three_scalars_are_neither_made_nor_brought_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_home(tmp_path / "home")
    for epoch in (3, 4):
        write(home, epoch)
    with pytest.raises(SharesError, match="1, 3 and 4"):
        back_up(home, tmp_path / "shares")
    assert not (tmp_path / "shares").exists()
    with monkeypatch.context() as before:  # as an older version made them
        before.setattr("keyholder.shares.MOST_SCALARS", 4)
        shares = back_up(home, tmp_path / "shares")
    assert "1, 3 and 4" in refuse(make_home(tmp_path / "new"), *shares[:2])


def test_a_damaged_scalar_that_the_shares_lack_is_said_before_anything_changes(
    tmp_path: Path,
) -> None:
    home = make_home(tmp_path / "home")
    shares = back_up(home, tmp_path / "shares")
    serve_once(home)
    (home / "secrets" / "scalar-1").unlink()
    write(home, 2, "no scalar")
    assert "scalar-2" in refuse(home, *shares[:2])
    shutil.rmtree(home / "run")  # in a home of `init` it makes place
    assert restore(home, *shares[:2])["epochs"] == [1]
    assert not (home / "secrets" / "scalar-2").exists()


def test_where_shares_cannot_be_written_none_is_left(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    full = tmp_path / "full"
    full.mkdir()
    (full / "letter.txt").write_text("mine")
    for out, said in ((full, "not empty"), (home / "card.json", "is there already")):
        result = CliRunner().invoke(app, ["backup", "--home", str(home), "--out", str(out)])
        assert isinstance(result.exception, DatwatError), result.output
        assert said in result.exception.detail
    assert [path.name for path in full.iterdir()] == ["letter.txt"]


def test_a_running_key_holder_is_not_restored(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    shares = back_up(home, tmp_path / "shares")
    with holding_process(home, 2), pytest.raises(AlreadyRunningError):
        restore(home, *shares[:2])
