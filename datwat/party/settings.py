"""A party's home folder: settings that may be read, secrets that may not, and where the rest lies.

`<home>/settings.toml` is written by `init`; the environment (`DATWAT_PORT`, `DATWAT_DATABASE_URL`,
…) wins over it. Secrets lie one per file in `<home>/secrets/` (folder 0700, files 0600) and are
refused when others may read them. The ratchet lies in a folder of its own, never beside the
database.
"""

from __future__ import annotations

import fcntl
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from datwat.party.database_urls import build_file_url
from datwat.party.errors import PartyError
from datwat.party.faults import describe_first_fault, format_steps
from datwat.party.files import describe_obstacle
from datwat.party.variables import PREFIX, find_unknown
from datwat.protocol.values import PartyId, ShortText

SETTINGS_FILE = "settings.toml"
HOME_VARIABLE = "DATWAT_HOME"
_OTHERS = 0o077
_MEBIBYTE = 1_048_576

Plain = str | int | bool
Hex32 = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]


class SettingsError(PartyError):
    """The home folder or a setting in it is missing or wrong."""

    code = "settings_invalid"
    default_detail = "The settings cannot be read."


class HomeExistsError(SettingsError):
    """`init` was asked for a folder that is already somebody's home."""

    code = "home_exists"
    default_detail = "This folder already holds settings.toml: choose another --home."


class SecretError(PartyError):
    """A secret is missing, or others than its owner may read it."""

    code = "secret_unusable"
    default_detail = "A secret cannot be used."


class PartySettings(BaseSettings):
    """What every party is told; each party derives its own model from this one.

    `trust_list` is a path or URL of the party's own choice; `trust_pin` the SHA-256 (hex) of the
    list that was typed in at install. `url` is the address at which others reach this party.
    `party` is the command that made the home, such as `broker`; the others refuse it.
    `metrics_port` (0: off) is where Prometheus reads the figures, on this machine.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    home: Path
    party: str = Field(default="", pattern=r"^[a-z]{0,20}$")
    id: PartyId
    name: ShortText
    url: str = Field(default="", max_length=256)
    host: str = Field(default="127.0.0.1", max_length=253)
    port: int = Field(default=0, ge=0, le=65_535)
    database_url: str = Field(default="", repr=False)
    trust_list: str = Field(default="", max_length=1_024)
    trust_pin: Hex32 = ""
    ratchet_folder: str = Field(default="", max_length=1_024)
    ratchet_url: str = Field(default="", max_length=1_024, repr=False)
    max_body_bytes: int = Field(default=_MEBIBYTE, ge=1_024, le=16 * _MEBIBYTE)
    max_requests: int = Field(default=256, ge=1, le=1_024)
    read_timeout_seconds: int = Field(default=10, ge=1, le=60)
    metrics_port: int = Field(default=0, ge=0, le=65_535)
    process: int = Field(default=1, ge=1, le=64)
    log_level: str = Field(default="info", pattern=r"^(debug|info|warning|error)$")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: what the caller says, the environment, the file in the home folder."""
        del dotenv_settings, file_secret_settings
        home = init_settings()["home"]
        file = TomlConfigSettingsSource(settings_cls, toml_file=Path(home) / SETTINGS_FILE)
        return init_settings, env_settings, file

    @property
    def database(self) -> str:
        """The database URL: the given one, else an SQLite file in the home folder."""
        return self.database_url or build_file_url(self.home / "database" / "party.sqlite")

    @property
    def ratchet(self) -> Path:
        """The folder of the ratchet, outside the database's own folder."""
        return Path(self.ratchet_folder) if self.ratchet_folder else self.home / "ratchet"


SettingsT = TypeVar("SettingsT", bound=PartySettings)


def load_settings(
    kind: type[SettingsT],
    home: Path,
    *,
    cure: str = "Correct settings.toml or the environment.",
) -> SettingsT:
    """Return the settings of the party that lives in `home`; raise SettingsError.

    `cure` is what to do about a setting that does not hold.
    """
    if not (home / SETTINGS_FILE).is_file():
        raise SettingsError(_describe_absence(home))
    if unknown := find_unknown(os.environ, kind.model_fields):
        raise SettingsError(unknown)
    try:
        return kind(home=home.resolve())
    except tomllib.TOMLDecodeError:
        raise SettingsError(f"{home / SETTINGS_FILE} is not TOML: correct it.") from None
    except ValidationError as error:
        raise SettingsError(f"{_describe(error)} {cure}") from None


def require_home(home: Path, party: str) -> None:
    """Refuse a folder that is not the home of this kind of party, named as its command.

    Raises SettingsError, which says what the folder is and which command is meant.
    """
    found = read_party(home, party)
    if found not in ("", party):
        raise SettingsError(
            f"{home} is the home of a `{found}`, not of a `{party}`: use `datwat {found} …`, "
            "or name another --home."
        )


def read_party(home: Path, party: str = "…") -> str:
    """Return the command that made this home, empty where it does not say; raise SettingsError."""
    try:
        held = tomllib.loads((home / SETTINGS_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise SettingsError(_describe_absence(home, party)) from None
    except OSError as error:
        raise SettingsError(describe_obstacle(error, home / SETTINGS_FILE)) from None
    except ValueError:  # TOML and UTF-8
        raise SettingsError(f"{home / SETTINGS_FILE} is not TOML: correct it.") from None
    return str(held.get("party", ""))


def write_settings(home: Path, values: Mapping[str, Plain]) -> None:
    """Make `home` private and write settings.toml; raise HomeExistsError where one stands."""
    if (home / SETTINGS_FILE).exists():
        raise HomeExistsError
    make_private_folder(home)
    try:
        _write_private(home / SETTINGS_FILE, values)
    except FileExistsError:
        raise HomeExistsError from None


def change_settings(home: Path, values: Mapping[str, Plain]) -> None:
    """Set some values in an existing settings.toml, whole or not at all; raise SettingsError.

    Changes of several processes come one after another: none undoes another one's.
    """
    path = home / SETTINGS_FILE
    try:
        with only_here(home):
            held: dict[str, Plain] = tomllib.loads(path.read_text(encoding="utf-8"))
            new = path.with_suffix(".new")
            new.unlink(missing_ok=True)  # left by a change that was cut short
            _write_private(new, {**held, **values})
            new.replace(path)
    except (FileNotFoundError, NotADirectoryError):
        raise SettingsError(_describe_absence(home)) from None
    except tomllib.TOMLDecodeError:
        raise SettingsError(f"{path} is not TOML: correct it.") from None
    except OSError as error:
        raise SettingsError(describe_obstacle(error, path)) from None


@contextmanager
def only_here(home: Path) -> Iterator[None]:
    """Wait until nobody else changes this home; the lock goes with the process that holds it."""
    descriptor = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def make_private_folder(folder: Path) -> None:
    """Make the folder, and let nobody but its owner in."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)


def write_secret(home: Path, name: str, secret: bytes) -> None:
    """Keep `secret` as `<home>/secrets/<name>` for its owner only; never over an existing one."""
    folder = home / "secrets"
    make_private_folder(folder)
    try:
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SecretError(f"The secret {name} exists already and is not replaced.") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())


def read_secret(home: Path, name: str) -> bytes:
    """Return the secret `name`; raise SecretError where it is missing or others may read it."""
    path = home / "secrets" / name
    try:
        if (path.stat().st_mode | path.parent.stat().st_mode) & _OTHERS:
            raise SecretError(
                f"Others may read the secret {name}: chmod 600 it, and 700 its folder."
            )
        secret = path.read_bytes()
    except OSError:
        raise SecretError(
            f"The secret {name} is missing or unreadable: run `init`, or restore it."
        ) from None
    if not secret:
        raise SecretError(f"The secret {name} is empty: restore it.")
    return secret


def _write_private(path: Path, values: Mapping[str, Plain]) -> None:
    """Write a new file for its owner only, from its first byte on; raise FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(_build_toml(values))


def _build_toml(values: Mapping[str, Plain]) -> str:
    # A JSON string without control characters is a TOML basic string; numbers and booleans agree.
    return "".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
        for key, value in sorted(values.items())
    )


def _describe_absence(home: Path, party: str = "…") -> str:
    what = "holds no settings.toml" if home.is_dir() else "is no folder"
    return f"{home} {what}: `datwat {party} init` makes a home, or name another --home."


def _describe(error: ValidationError) -> str:
    sentence, place = describe_first_fault(error)
    name = format_steps(place) or "settings"
    return f"Setting {name}: {sentence}"
