"""Fails where a text of a page has no good Dutch: missing, left over, or not plain enough.

1. What templates and code say equals what the catalogues hold, nothing is empty or fuzzy, and
   values in a text are the same in both languages.
2. What residents read is plain (B1, by rule: `datwat/protocol/plain_dutch.py`), and a legal word
   stands only beside its one-line meaning. So are the texts of the project's own theme.
3. A template has no inline style or script, and switches no escaping off.
Run by `make lint`; `--missing` prints entries for what a catalogue lacks.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.pofile import read_po

from datwat.protocol.plain_dutch import find_unexplained, find_unplain

ROOT: Final = Path(__file__).resolve().parents[1]
METHODS: Final = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
OPTIONS: Final = {"**/templates/**.html": {"trimmed": "true", "newstyle_gettext": "true"}}
KEYWORDS: Final[dict[str, Any]] = {
    "_": None,
    "gettext": None,
    "mark": None,
    "ngettext": (1, 2),
}
_VALUE: Final = re.compile(r"%\((\w+)\)s")
_FORBIDDEN: Final = {
    r"\sstyle\s*=": "a style attribute",
    r"<style\b": "an inline style sheet",
    r"<script(?![^>]*\bsrc=)": "an inline script",
    r"\son\w+\s*=": "an inline handler",
    r"\|\s*safe\b": "escaping switched off (`safe`)",
    r"autoescape\s+false": "escaping switched off",
    r"javascript:": "a script in an address",
    r"(?:src|href)=\"https?://(?!www\.autoriteitpersoonsgegevens\.nl|wetten\.overheid\.nl)": (
        "an address of another host"
    ),
}


@dataclass(frozen=True)
class Room:
    """One folder of pages with its catalogues; `plain` where residents read it."""

    folder: str
    plain: bool

    @property
    def path(self) -> Path:
        """The folder itself."""
        return ROOT / self.folder

    @property
    def catalogues(self) -> list[Path]:
        """Its Dutch catalogues."""
        return sorted((self.path / "locale" / "nl" / "LC_MESSAGES").glob("*.po"))


ROOMS: Final = (
    Room("datwat/web", plain=True),
    Room("connectors/portal/pages", plain=True),
    Room("connectors/pages", plain=False),
    Room("broker/pages", plain=False),
)


def extract(room: Room) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return every text that a room says: its place, and all its forms."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for name, line, message, _comments, _context in extract_from_dir(
        room.path, METHODS, OPTIONS, keywords=KEYWORDS
    ):
        forms = message if isinstance(message, tuple) else (message,)
        found.setdefault(forms[0], (f"{room.folder}/{name}:{line}", forms))
    return found


def read_catalogue(path: Path) -> Catalog:
    """Return one catalogue; Babel raises where it is not one."""
    with path.open("rb") as file:
        return read_po(file, locale="nl", abort_invalid=True)


def check_room(room: Room, shared: set[str]) -> Iterator[str]:
    """Yield what is wrong with the texts of a room; `shared` are held by the frame's catalogue."""
    said = extract(room)
    held: set[str] = set()
    for path in room.catalogues:
        where = path.relative_to(ROOT)
        for message in read_catalogue(path):
            if not message.id:
                continue
            forms = (message.id,) if isinstance(message.id, str) else tuple(message.id)
            if forms[0] in held or (forms[0] in shared and room.folder != ROOMS[0].folder):
                yield f"{where}: twice: {forms[0]!r}"
            held.add(forms[0])
            if forms[0] not in said:
                yield f"{where}: nobody says this any more: {forms[0]!r}"
            if message.fuzzy:
                yield f"{where}: fuzzy: {forms[0]!r}"
            string = message.string or ""
            translated = (string,) if isinstance(string, str) else tuple(string)
            yield from check_message(str(where), forms, translated, room)
    for text, (place, _forms) in said.items():
        if text not in held and text not in shared:
            yield f"{place}: no translation: {text!r}"


def check_message(
    where: str, forms: tuple[str, ...], translated: tuple[str, ...], room: Room
) -> Iterator[str]:
    """Yield what is wrong with one translation."""
    if len(translated) != len(forms) or not all(translated):
        yield f"{where}: not translated: {forms[0]!r}"
        return
    for form, dutch in zip(forms, translated, strict=True):
        if set(_VALUE.findall(form)) != set(_VALUE.findall(dutch)):
            yield f"{where}: other values than in {form!r}"
        if room.plain:
            remarks = find_unplain(dutch)
            yield from (f"{where}: {remark.render('en')}: {dutch!r}" for remark in remarks)


def check_terms(room: Room) -> Iterator[str]:
    """Yield each legal word in a template that gives no meaning of it there, in Dutch."""
    if not room.plain:
        return
    texts = {
        str(message.id): str(message.string)
        for path in room.catalogues
        for message in read_catalogue(path)
        if isinstance(message.id, str)
    }
    for template in sorted(room.path.glob("templates/**/*.html")):
        said = extract_from_file(
            "jinja2", template, keywords=KEYWORDS, options=OPTIONS["**/templates/**.html"]
        )
        ids = [found if isinstance(found, str) else found[0] for _line, found, *_ in said]
        shown = " ".join(texts.get(text, "") for text in ids)
        for remark in find_unexplained(shown):
            yield (
                f"{template.relative_to(ROOT)}: `{remark.word}` without its meaning "
                f"(a text with {remark.advice!r}; macro `term`)"
            )


def check_templates(room: Room) -> Iterator[str]:
    """Yield what a template may not hold."""
    for template in sorted(room.path.glob("templates/**/*.html")):
        for number, line in enumerate(template.read_text("utf-8").splitlines(), start=1):
            for pattern, what in _FORBIDDEN.items():
                if re.search(pattern, line):
                    yield f"{template.relative_to(ROOT)}:{number}: {what}"


def check_theme() -> Iterator[str]:
    """Yield what is not plain in the project's own theme."""
    path = ROOT / "datwat" / "web" / "theme" / "texts.toml"
    texts = tomllib.loads(path.read_text("utf-8"))
    people = [texts["contact"], texts["privacy_officer"], *texts["support"], *texts["crisis"]]
    for person in people:
        text = person["what"]["nl"]
        for remark in find_unplain(text):
            yield f"{path.relative_to(ROOT)}: {remark.render('en')}: {text!r}"


def print_missing(room: Room, shared: set[str]) -> None:
    """Print entries for what the catalogues of a room lack, to be filled in."""
    held = {
        message.id if isinstance(message.id, str) else message.id[0]
        for path in room.catalogues
        for message in read_catalogue(path)
    }
    for text, (place, forms) in sorted(extract(room).items(), key=lambda item: item[1][0]):
        if text in held or text in shared:
            continue
        print(f"\n#: {place}\nmsgid {_quote(forms[0])}")
        if len(forms) == 1:
            print('msgstr ""')
        else:
            print(f'msgid_plural {_quote(forms[1])}\nmsgstr[0] ""\nmsgstr[1] ""')


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def main() -> int:
    """Print every finding and return 1 when there is one."""
    rooms = [room for room in ROOMS if room.path.is_dir()]
    shared = {
        message.id if isinstance(message.id, str) else message.id[0]
        for path in rooms[0].catalogues
        for message in read_catalogue(path)
        if message.id
    }
    if "--missing" in sys.argv[1:]:
        for room in rooms:
            print_missing(room, shared)
        return 0
    checks = [
        [*check_room(room, shared), *check_terms(room), *check_templates(room)] for room in rooms
    ]
    findings = [*check_theme(), *(finding for found in checks for finding in found)]
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
