"""The check of texts finds what it is there for; that the project's own pass is `make lint`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "check_texts.py"
HEAD = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_texts", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "check_texts", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def room(script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A room of one page, whose findings are all that the script finds."""
    (tmp_path / "rooms" / "templates").mkdir(parents=True)
    (tmp_path / "rooms" / "locale" / "nl" / "LC_MESSAGES").mkdir(parents=True)
    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "ROOMS", (script.Room("rooms", plain=True),))
    monkeypatch.setattr(script, "check_theme", list)
    monkeypatch.setattr(sys, "argv", ["check_texts.py"])
    return tmp_path / "rooms"


def write(room: Path, template: str, catalogue: str) -> None:
    (room / "templates" / "page.html").write_text(template, encoding="utf-8")
    path = room / "locale" / "nl" / "LC_MESSAGES" / "page.po"
    path.write_text(HEAD + catalogue, encoding="utf-8")


@pytest.mark.parametrize(
    ("template", "catalogue", "finding"),
    [
        ('{{ _("Hi") }}', "", "no translation: 'Hi'"),
        ('{{ _("Hi") }}', 'msgid "Hi"\nmsgstr ""\n', "not translated"),
        ('{{ _("Hi") }}', '#, fuzzy\nmsgid "Hi"\nmsgstr "Hoi"\n', "fuzzy"),
        ("", 'msgid "Hi"\nmsgstr "Hoi"\n', "nobody says this any more"),
        (
            '{{ _("%(name)s asked", name=name) }}',
            'msgid "%(name)s asked"\nmsgstr "Iemand vroeg iets"\n',
            "other values",
        ),
        (
            '{{ ngettext("%(num)s day", "%(num)s days", n) }}',
            'msgid "%(num)s day"\nmsgid_plural "%(num)s days"\nmsgstr[0] "dag"\nmsgstr[1] ""\n',
            "not translated",
        ),
        (
            '{{ _("Long") }}',
            f'msgid "Long"\nmsgstr "Dit zijn er zestien{" woord" * 12}."\n',
            "16 words in one sentence",
        ),
        ('{{ _("If") }}', 'msgid "If"\nmsgstr "Indien u wilt."\n', "`indien`: say 'als'"),
        ('{{ _("No") }}', 'msgid "No"\nmsgstr "Uw BSN staat er niet."\n', "`BSN`: write it out"),
        (
            '{{ _("Consent") }}',
            'msgid "Consent"\nmsgstr "Toestemming"\n',
            "`toestemming` without its meaning",
        ),
        ('<p style="color:red">', "", "a style attribute"),
        ("<script>x()</script>", "", "an inline script"),
        ('<a onclick="x()">', "", "an inline handler"),
        ("{{ name|safe }}", "", "escaping switched off"),
        ('<img src="https://elsewhere.example/x">', "", "another host"),
    ],
)
def test_it_finds(
    script: ModuleType,
    room: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    template: str,
    catalogue: str,
    finding: str,
) -> None:
    write(room, template, catalogue)
    assert script.main() == 1
    assert finding in capsys.readouterr().out


def test_it_is_content_with_plain_words(script: ModuleType, room: Path) -> None:
    write(
        room,
        '{{ _("Consent") }} {{ _("you say yes") }} <script src="/x.js" defer></script>',
        'msgid "Consent"\nmsgstr "Toestemming"\n\nmsgid "you say yes"\nmsgstr "u zegt ja"\n',
    )
    assert script.main() == 0
