"""What a database URL asks for is carried out or refused: never dropped, never told again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import text

from datwat.cli import run
from datwat.party import ratchet as rt
from datwat.party import ratchet_server
from datwat.party.database import DatabaseError, open_engine, parse_url
from datwat.party.ratchet_errors import RatchetAwayError
from datwat.party.ratchet_server import ServerRatchet
from tests.databases import build_database_url
from tests.parties import run_command
from tests.postgres import OwnServer, own_server

PASSWORD = "S3cr3t-pw"
VALUE = "v4lue-of-it"
SERVER = f"postgresql://someone:{PASSWORD}@127.0.0.1:9/some"
HOSTS = f"postgresql://someone:{PASSWORD}@/some"
PARTY = "00000099000000001000:broker"


class Printed(NamedTuple):
    code: int
    text: str


Migrate = Callable[[str], Printed]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("urls") / "keyholder"
    given = {
        "--home": str(made),
        "--id": "00000099000000002000:key-holder",
        "--name": "Key holder",
        "--url": "http://127.0.0.1:1",
        "--port": "1",
    }
    run_command("keyholder", "init", *(word for pair in given.items() for word in pair))
    return made


@pytest.fixture
def migrate(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Migrate:
    """Bring the database of a URL up to date by the command; nothing of the URL is printed."""

    def carry_out(url: str) -> Printed:
        monkeypatch.setitem(os.environ, "DATWAT_DATABASE_URL", url)
        code = run(["database", "migrate", "--home", str(home), "--json"])
        found = capfd.readouterr()
        printed = found.out + found.err
        for secret in (PASSWORD, VALUE, "someone", "Warning", "unexpected"):
            assert secret not in printed
        return Printed(code, printed)

    return carry_out


def require_refused(printed: Printed, *said: str) -> None:
    assert printed.code == 1
    assert '"database_unusable"' in printed.text
    for word in said:
        assert word in printed.text


@pytest.mark.parametrize(
    "name",
    [
        *("application_name", "autocommit", "client_encoding", "conninfo", "context"),
        *("cursor_factory", "dbname", "hostaddr", "keepalives", "options", "passfile", "password"),
        *("prepare_threshold", "row_factory", "service", "sslpassword", "target_session_attrs"),
        *("user", "foo"),
    ],
)
def test_an_option_that_is_not_taken_is_refused_by_its_name(migrate: Migrate, name: str) -> None:
    for server in (SERVER, f"{HOSTS}?host=127.0.0.1:9&host=127.0.0.1:7"):
        glue = "&" if "?" in server else "?"
        require_refused(migrate(f"{server}{glue}{name}={VALUE}"), f"not taken ({name})", "sslmode")


@pytest.mark.parametrize(
    "option",
    [VALUE, f"{VALUE}=1", f"{'x' * 60}=1", f"secret&x@{VALUE}", "secret", "secret="],
)
def test_what_may_be_no_name_is_not_told(migrate: Migrate, option: str) -> None:
    printed = migrate(f"{SERVER}?{option}")
    require_refused(printed, "option")
    assert "secret" not in printed.text
    assert "xxx" not in printed.text


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("sslmode", "sslmode"),
        ("sslmode=", "sslmode"),
        (f"sslmode={VALUE}", "sslmode in the database URL must be one of disable, "),
        ("sslmode=require&sslmode=disable", "sslmode"),
        (f"connect_timeout={VALUE}", "connect_timeout in the database URL must be 1 to 5"),
        ("connect_timeout=0", "connect_timeout"),
        ("connect_timeout=60", "connect_timeout"),
        ("connect_timeout=3&connect_timeout=3", "connect_timeout"),
        (f"sslmode=verify-full&sslrootcert=/none/{VALUE}", "sslrootcert"),
        (f"sslcert=/none/{VALUE}", "sslcert"),
        (f"sslkey=/none/{VALUE}", "sslkey"),
        (f"sslcrl=/none/{VALUE}", "sslcrl"),
        ("sslkey=/", "sslkey"),
    ],
)
def test_a_value_that_cannot_be_is_refused(migrate: Migrate, option: str, said: str) -> None:
    require_refused(migrate(f"{SERVER}?{option}"), said)


@pytest.mark.parametrize(
    "url",
    [
        f"{SERVER}?port=abc",
        f"{SERVER}?port=0",
        f"{SERVER}?host={VALUE}",  # which of the two?
        f"{HOSTS}?host={VALUE},b&port=5432",
        f"{HOSTS}?host={VALUE}:5432&host=b:5432&port=5432",
        f"{HOSTS}?host={VALUE}:5432:1&host=b",
        f"{HOSTS}?host={VALUE}:70000&host=b",
        f"{HOSTS}?host={VALUE}:5432,b:5432",
        f"{HOSTS}?host=::1&host={VALUE}",
        f"{HOSTS}?host={VALUE}..x&host=b",
        f"postgresql://someone:{PASSWORD}@{'h' * 200}/some",
        f"postgresql://someone:{PASSWORD}@{'h.' * 200}h/some",
        f"postgresql://someone:{PASSWORD}@{VALUE},b/some",
        f"postgresql://someone:{PASSWORD}@127.0.0.1:99999999/some",
        f"postgresql://someone:{PASSWORD}@127.0.0.1:-1/some",
    ],
)
def test_hosts_and_ports_that_cannot_be_are_refused(migrate: Migrate, url: str) -> None:
    require_refused(migrate(url), "host=db1.example:5432&host=db2.example:5432")


@pytest.mark.parametrize(
    "url",
    [
        f"postgres://someone:{PASSWORD}@127.0.0.1:9/some",
        f"postgresql+asyncpg://someone:{PASSWORD}@127.0.0.1:9/some",
        f"postgresql+psycopg2://someone:{PASSWORD}@127.0.0.1:9/some",
        f"mysql://someone:{PASSWORD}@127.0.0.1:9/some",
        f"postgresql://someone:{PASSWORD}@127.0.0.1:{VALUE}/some",
        f"postgresql://someone:{PASSWORD}%00@127.0.0.1:9/some",
        f"postgresql://someone:{PASSWORD}@127.0.0.1:9/some%00{VALUE}",
        f"postgresql://someone:{PASSWORD}@[::1]9/some?sslmode=require",
        f"{SERVER}?sslmode=prefer\n&autocommit=true",
        f"postgresql://someone:{PASSWORD}\udcff@127.0.0.1:9/some",
        "sqlite+aiosqlite:////none/x.sqlite",
        "sqlite+pysqlcipher:////none/x.sqlite",
        f"sqlite://h/{VALUE}",
        f"sqlite://someone:{PASSWORD}@/x.sqlite",
        "x" * 200_000,
    ],
)
def test_another_form_is_refused(migrate: Migrate, url: str) -> None:
    require_refused(migrate(url), "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE")


@pytest.mark.parametrize("option", ["timeout=abc", "foo=abc", "mode=memory&uri=true", "x", "x/y"])
def test_a_file_takes_no_options(migrate: Migrate, tmp_path: Path, option: str) -> None:
    require_refused(migrate(f"sqlite:///{tmp_path}/{VALUE}/x.sqlite?{option}"), "question mark")
    assert not list(tmp_path.iterdir())


def test_what_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "file.pem"
    file.touch()
    for url in (
        SERVER,
        "postgresql:///some",
        "postgresql+psycopg://someone@[::1]:5432/some",
        f"postgresql://someone:{PASSWORD}?x#y/z@db.example/some",
        f"{HOSTS}?host=/run/postgresql&port=5433",
        f"{HOSTS}?host=db1.example&host=db2.example",
        f"{HOSTS}?host=db1.example:5432&host=db2.example:5433",
        f"{HOSTS}?host=db1.example,db2.example&port=5432,5433",
        f"{HOSTS}?host=/a/b&host=/c/d",
        f"{HOSTS}?host=::1,db2.example",
        f"{SERVER}?connect_timeout=3&sslmode=verify-full&sslrootcert=system",
        f"{SERVER}?sslrootcert={file}&sslcert={file}&sslkey={file}&sslcrl={file}",
        "sqlite://",
        f"sqlite:///{tmp_path}/a b/ü.sqlite",
    ):
        open_engine(url).dispose()


def test_a_server_that_is_not_there_is_told_so_whatever_is_asked(migrate: Migrate) -> None:
    for url in (
        f"{SERVER}?connect_timeout=3",
        f"{HOSTS}?host=127.0.0.1:9&host=127.0.0.1:7&connect_timeout=2",
        f"{SERVER}?sslmode=require",
    ):
        assert '"database_unreachable"' in migrate(url).text


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with own_server() as made:
        yield made


@pytest.mark.postgres
def test_the_options_that_are_taken_are_carried_out(server: OwnServer) -> None:
    hosts = f"postgresql://postgres@/postgres?host={server.home}&port={server.port}"
    for url in (hosts, f"{server.url}?connect_timeout=3&sslmode=disable"):
        engine = open_engine(url)
        with engine.connect() as connection:
            asked = text("SELECT inet_client_addr() IS NULL")
            assert connection.execute(asked).scalar_one() is (url == hosts)
            parameters = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
        assert parameters["connect_timeout"] == ("5" if url == hosts else "3")
        engine.dispose()


@pytest.mark.postgres
def test_a_server_without_tls_is_told_as_that(server: OwnServer, migrate: Migrate) -> None:
    url = f"postgresql://someone:{PASSWORD}@127.0.0.1:{server.port}/{VALUE}"
    for mode in ("require", "verify-full"):
        printed = migrate(f"{url}?sslmode={mode}&sslrootcert=system")
        assert '"database_entry"' in printed.text
        assert "no TLS connection" in printed.text
    printed = migrate(f"{url}?sslmode=prefer")
    assert '"database_entry"' in printed.text
    assert "TLS" not in printed.text
    # Who asks whether a server is there names nobody without TLS.
    log = (server.home / "log").read_text()
    assert log.count(VALUE) + log.count("someone") == log.count('role "someone" does not exist')


@pytest.mark.postgres
def test_a_certificate_that_does_not_hold_is_told_as_that(
    server: OwnServer, migrate: Migrate, tmp_path: Path
) -> None:
    certificate, key = server.home / "tls.pem", server.home / "tls.key"
    other = make_certificate(tmp_path / "other.pem", tmp_path / "other.key")
    make_certificate(certificate, key)
    if os.geteuid() == 0:
        shutil.chown(key, "postgres")
        shutil.chown(certificate, "postgres")
    server.stop("fast")
    server.start("ssl=on", f"ssl_cert_file={certificate}", f"ssl_key_file={key}")
    try:
        shutil.copy(certificate, tmp_path / "root.pem")
        good = f"{server.url}?sslmode=verify-full&sslrootcert={tmp_path / 'root.pem'}"
        assert migrate(good).code == 0
        for root in (other, "system"):
            printed = migrate(f"{server.url}?sslmode=verify-full&sslrootcert={root}")
            assert '"database_entry"' in printed.text
            assert "no TLS connection" in printed.text
        nobody = good.replace("postgres@", f"someone:{PASSWORD}@")
        assert "lets nobody in" in migrate(nobody).text
    finally:
        server.stop("fast")
        server.start()


def make_certificate(certificate: Path, key: Path) -> Path:
    command = (
        *("openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2"),
        *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-out", str(certificate), "-keyout", str(key)),
    )
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    key.chmod(0o600)
    return certificate


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"{SERVER}?autocommit={VALUE}", "not taken (autocommit)"),
        (f"{SERVER}?foo={VALUE}", "not taken (foo)"),
        (f"{SERVER}?sslmode={VALUE}", "sslmode"),
        (f"postgresql://someone:{PASSWORD}@{'h' * 200}/some", "host"),
        (f"mysql://someone:{PASSWORD}@h/some", "postgresql://"),
        (f"sqlite:///{VALUE}", "postgresql://"),
    ],
)
def test_the_ratchets_url_is_refused_alike(url: str, said: str) -> None:
    with pytest.raises(rt.RatchetError) as caught:
        ServerRatchet.connect(url, PARTY)
    assert type(caught.value) is rt.RatchetError
    assert "ratchet_url" in caught.value.detail
    assert said in caught.value.detail
    for secret in (PASSWORD, VALUE, "someone"):
        assert secret not in caught.value.detail


@pytest.mark.postgres
def test_a_ratchets_server_that_lets_nobody_in_is_told_so(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratchet_server, "_START_SECONDS", 0.3)
    with pytest.raises(rt.RatchetError, match="lets nobody in") as caught:
        ServerRatchet.connect(build_database_url(postgres_url, "no_such_database"), PARTY)
    assert "ratchet_url" in caught.value.detail
    assert "database_url" not in caught.value.detail
    assert "no_such_database" not in caught.value.detail
    with pytest.raises(RatchetAwayError, match="does not answer"):
        ServerRatchet.connect(SERVER, PARTY)


@pytest.mark.postgres
def test_a_ratchets_server_that_may_lose_its_disk_is_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ratchet_server, "_START_SECONDS", 0.3)
    with own_server("fsync=off") as careless, pytest.raises(rt.RatchetError, match="fsync"):
        ServerRatchet.connect(careless.url, PARTY)


@pytest.mark.parametrize("url", [f"{SERVER}?foo=1", "sqlite:///x\0y", f"{SERVER}\0y"])
def test_what_only_settings_toml_can_hold_is_refused_as_well(url: str) -> None:
    with pytest.raises(DatabaseError):
        parse_url(url)
