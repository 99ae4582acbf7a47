"""Pages from templates: one environment a language, everything escaped, nothing left undefined.

Rules: a template gets plain values and models, never a service or a session, so that it can decide
and fetch nothing; what a partner wrote is text, whatever it looks like; every page has the headers
of `headers.py` and the frame of `base.html`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from datwat.web.assets import Assets
from datwat.web.headers import build_headers
from datwat.web.i18n import (
    LANGUAGES,
    QUERY,
    Code,
    Speech,
    find_language,
    keep_language,
    load_speeches,
)
from datwat.web.theme import Theme

TEMPLATES: Final = Path(__file__).parent / "templates"
_PLAIN: Final = (bool, int, float, str, date, timedelta, Enum, BaseModel, Markup, type(None))
# A context that says one of these would change the frame around the page.
_TAKEN: Final = frozenset(
    ("asset", "code", "frame", "icon", "languages", "menu_items", "organisation", "site", "theme")
)
_GROUPS: Final = (list, tuple, set, frozenset)


@dataclass(frozen=True, slots=True)
class NavItem:
    """One place in the menu; `label` and `hint` are marked texts.

    `needs_login` hides it until then; the hint is what the first page says of it. With `in_menu`
    off it stands on the first page alone once somebody is logged in: a menu of six is a menu.
    """

    path: str
    label: str
    needs_login: bool = True
    hint: str = ""
    in_menu: bool = True


@dataclass(frozen=True, slots=True)
class SiteInfo:
    """What is the same on every page; `title` is a marked text.

    `exit_url` is where who leaves quickly goes; `form_targets` are origins that a form may lead to
    (logging out at the provider).
    """

    title: str
    organisation: str
    nav: tuple[NavItem, ...]
    is_secure: bool
    exit_url: str
    is_for_residents: bool = True
    form_targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """What `base.html` needs around one page, as plain values; `nav`: of who is there."""

    path: str
    query: str
    csrf: str | None
    ends_at: datetime | None
    notices: tuple[str, ...] = ()
    nav: tuple[NavItem, ...] | None = None


class Pages:
    """The templates of one party; `folders` and `locales` are its own, beside the frame's."""

    def __init__(
        self,
        site: SiteInfo,
        theme: Theme,
        assets: Assets,
        folders: Sequence[Path] = (),
        locales: Sequence[Path] = (),
    ) -> None:
        """Prepare both languages."""
        self.site = site
        self.theme = theme
        self.assets = assets
        self.speeches = load_speeches(locales)
        loader = FileSystemLoader([*folders, TEMPLATES])
        compiled = _Compiled()
        self._environments = {
            code: self._build_environment(loader, compiled, self.speeches[code])
            for code in LANGUAGES
        }
        # Now, so that nobody waits for it later.
        for environment in self._environments.values():
            for name in environment.list_templates(extensions=["html"]):
                environment.get_template(name)

    def find_speech(self, request: Request) -> Speech:
        """Return the language of a request."""
        return self.speeches[find_language(request)]

    def render(
        self,
        request: Request,
        template: str,
        context: Mapping[str, Any] | None = None,
        *,
        frame: Frame | None = None,
        status: int = 200,
    ) -> Response:
        """Return a page; raise TypeError for a context that holds more than values and models."""
        code = find_language(request)
        html = self.render_text(code, template, context, frame or build_frame(request))
        targets = self.site.form_targets if frame is not None and frame.csrf else ()
        response = Response(html, status, build_headers(code, targets), "text/html")
        if QUERY in request.query_params:
            keep_language(response, code, is_secure=self.site.is_secure)
        return response

    def render_text(
        self, code: Code, template: str, context: Mapping[str, Any] | None, frame: Frame
    ) -> str:
        """Return the HTML of a page in a language."""
        held = dict(context or {})
        require_plain(held, template)
        if taken := _TAKEN & held.keys():
            msg = f"{template}: the frame has names of its own: {', '.join(sorted(taken))}"
            raise TypeError(msg)
        return self._environments[code].get_template(template).render(**held, frame=frame)

    def _build_environment(
        self, loader: FileSystemLoader, compiled: BytecodeCache, speech: Speech
    ) -> Environment:
        environment = Environment(
            loader=loader,
            bytecode_cache=compiled,
            autoescape=True,
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            cache_size=-1,
        )
        environment.policies["ext.i18n.trimmed"] = True
        # The extension's own method; Jinja's types do not know what an extension adds.
        environment.install_gettext_callables(  # type: ignore[attr-defined]
            speech.gettext, speech.ngettext, newstyle=True
        )
        for name in ("say_date", "say_day", "say_time", "say_moment", "say_period"):
            environment.filters[name] = getattr(speech, name)
        environment.globals.update(
            code=speech.code,
            site=self.site,
            theme=self.theme.texts,
            organisation=self.theme.texts.organisation or self.site.organisation,
            asset=self.assets.url,
            icon=lru_cache(maxsize=256)(self._draw_icon),
            languages=LANGUAGES,
        )
        return environment

    def _draw_icon(self, name: str, label: str = "") -> Markup:
        """Return an icon: beside its word it is silent, alone it has a label."""
        inside = Markup(self.assets.icons[name])  # noqa: S704 - a file of the icon set
        role = Markup('role="img" aria-label="{}"').format(label) if label else _SILENT
        return _SVG.format(role=role, inside=inside)


class _Compiled(BytecodeCache):
    """What is compiled for one language serves the other; it lives as long as the pages."""

    def __init__(self) -> None:
        self._held: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill in what was compiled before."""
        if bucket.key in self._held:
            bucket.bytecode_from_string(self._held[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        self._held[bucket.key] = bucket.bytecode_to_string()


_SILENT: Final = Markup('aria-hidden="true"')
_SVG: Final = Markup(
    '<svg class="icon" viewBox="0 0 24 24" width="24" height="24" {role}>{inside}</svg>'
)


_NOT_REPEATED: Final = frozenset(
    {QUERY, "code", "state", "session_state", "iss", "error", "error_description", "error_uri"}
)


def build_frame(request: Request) -> Frame:
    """Return the frame of a page that nobody is logged in at."""
    return Frame(request.url.path, build_query(request), None, None)


def build_query(request: Request) -> str:
    """Return the query of a request without the language, escaped for an attribute, with `&`.

    What a provider sent along with a login is not repeated: it would stand in histories.
    """
    members = request.query_params.multi_items()
    kept = [(name, value) for name, value in members if name not in _NOT_REPEATED]
    return "".join(f"&{quote_plus(name)}={quote_plus(value)}" for name, value in kept)


def require_plain(value: object, place: str) -> None:
    """Raise TypeError where a context holds something that a template could do things with."""
    if isinstance(value, Mapping):
        for name, held in value.items():
            require_plain(held, f"{place}: {name}")
    elif isinstance(value, _GROUPS):
        for held in value:
            require_plain(held, place)
    elif not isinstance(value, _PLAIN) and not (
        is_dataclass(value) and not isinstance(value, type)
    ):
        msg = f"{place} is a {type(value).__name__}: a template takes values and models only"
        raise TypeError(msg)
