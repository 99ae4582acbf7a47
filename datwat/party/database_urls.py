"""Which database URLs are taken, and which options in them; all others are refused, by name.

Rules: what a URL asks for is carried out or refused, never dropped: the drivers take options that
end transactions, and SQLAlchemy puts ours over others without a word. Nothing of a URL is told but
the name of an option. All of it is known before an engine is made.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from datwat.party.database_errors import DatabaseUrlError

CONNECT_TIMEOUT: Final = "connect_timeout"
_SCHEMES = {"sqlite", "postgresql", "postgresql+psycopg"}
_TLS_ALWAYS = ("require", "verify-ca", "verify-full")
_TLS_MODES = ("disable", "allow", "prefer", *_TLS_ALWAYS)
_SYSTEM = "system"  # the roots that OpenSSL has; libpq then asks for verify-full by itself
_HOST_OPTIONS = ("host", "port")
_MOST_HOST = 253  # letters, as DNS has it
_MOST_PORT = 65_535
# Another one may be part of a password that was not written as a URL has it.
_NAME = re.compile(r"[a-z_]{1,32}")
_SECONDS = re.compile(r"[1-5]")
_HOSTS = (
    "The host or the port in the database URL cannot be: name one host before the database, or "
    "several after it as ?host=db1.example:5432&host=db2.example:5432."
)
_FILE_OPTION = (
    "The URL of an SQLite file is its path alone: take out the question mark and what follows, or "
    "keep the file in a folder whose name has none."
)


def parse_url(url: str) -> URL:
    """Return an SQLite or PostgreSQL URL in its parts; raise DatabaseUrlError for any other."""
    try:
        url.encode()  # of what is no UTF-8 the environment makes letters that nothing can send
        parsed = make_url(url, keep_blank_values=True)
    except (ArgumentError, ValueError):
        raise DatabaseUrlError from None
    # The drivers would read a name or a password up to a zero byte.
    if parsed.drivername not in _SCHEMES or "\0" in url or "%00" in url:
        raise DatabaseUrlError
    if parsed.get_backend_name() == "sqlite":
        _check_file(parsed)
    elif _is_cut(url, parsed):
        raise DatabaseUrlError
    else:
        _check_options(parsed)
        try:
            _require_hosts(parsed)
        except (ArgumentError, ValueError):
            raise DatabaseUrlError(_HOSTS) from None
    return parsed


def build_file_url(file: Path) -> str:
    """Return the URL of an SQLite file: `%`, `?` and all else in its path stay what they are.

    Raises DatabaseUrlError for a path that is no UTF-8.
    """
    try:
        return URL.create("sqlite", database=str(file)).render_as_string()
    except UnicodeEncodeError:
        raise DatabaseUrlError("The home folder's path is no UTF-8: name it otherwise.") from None


def asks_for_tls(url: URL) -> bool:
    """Tell whether a PostgreSQL URL takes no connection without TLS."""
    return url.query.get("sslmode") in _TLS_ALWAYS or url.query.get("sslrootcert") == _SYSTEM


def _is_cut(url: str, parsed: URL) -> bool:
    """Tell whether SQLAlchemy left out the end: after the ] of an address, or at a new line."""
    rest = url.rpartition(f"[{parsed.host}]")[2]
    return "\n" in url or (":" in (parsed.host or "") and rest[:1] not in {"", ":", "/", "?"})


def _check_file(url: URL) -> None:
    if url.username is not None or url.password is not None or url.host or url.port:
        raise DatabaseUrlError
    if url.query:
        raise DatabaseUrlError(_FILE_OPTION)


def _check_options(url: URL) -> None:
    for name, value in url.query.items():
        if name in _HOST_OPTIONS:
            continue
        if name not in _VALUES:
            # A word without a value is no option: nothing says that it is none of a password.
            is_name = value and _NAME.fullmatch(name)
            raise DatabaseUrlError(
                f"The database URL has an option that is not taken{f' ({name})' if is_name else ''}"
                f": take it out. Taken are {', '.join((*_HOST_OPTIONS, *_VALUES))}."
            )
        holds, sentence = _VALUES[name]
        if not isinstance(value, str) or not holds(value):
            raise DatabaseUrlError(f"{name} in the database URL {sentence}")


def _require_hosts(url: URL) -> None:
    """Raise ValueError for what the driver fails over, or takes for something else; or its own."""
    named = url.query.get("host", ())
    # It takes one of the two; and of ::1 among several it makes the socket of this machine.
    is_twice = url.host is not None and (named or "," in url.host)
    if is_twice or (not isinstance(named, str) and any(host.count(":") > 1 for host in named)):
        raise ValueError
    dialect: Any = PGDialect_psycopg
    _, given = dialect().create_connect_args(url)
    for host in str(given.get("host", "")).split(","):
        if not host.startswith("/"):  # the folder of a socket
            host.encode("idna")  # raises UnicodeError, as the look-up of the name would
            if len(host) > _MOST_HOST or host.count(":") == 1:
                raise ValueError
    for port in str(given.get("port", "")).split(","):
        if port and not 0 < int(port) <= _MOST_PORT:
            raise ValueError


def _is_seconds(value: str) -> bool:
    return _SECONDS.fullmatch(value) is not None


def _can_be_read(path: str) -> bool:
    return Path(path).is_file() and os.access(path, os.R_OK)


def _can_be_root(path: str) -> bool:
    return path == _SYSTEM or _can_be_read(path)


_FILE = (_can_be_read, "names no file that can be read here: check its path and its rights.")
_VALUES: dict[str, tuple[Callable[[str], bool], str]] = {
    CONNECT_TIMEOUT: (_is_seconds, "must be 1 to 5, in seconds."),
    "sslmode": (_TLS_MODES.__contains__, f"must be one of {', '.join(_TLS_MODES)}."),
    "sslrootcert": (_can_be_root, _FILE[1]),
    "sslcert": _FILE,
    "sslkey": _FILE,
    "sslcrl": _FILE,
}
"""The options besides hosts and ports: what tells whether a value holds, and what it must be."""
