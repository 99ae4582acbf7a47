"""Static files: in memory, each under an address that names its content, so that nobody asks twice.

Rule: a first page needs four of them at most (one style sheet, one script, one font, one logo);
what a browser may be sent is a fixed list, and no path of a caller reaches the disk. The parts from
npm lie in `parts/`, which the set-up makes.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from datwat.party.problems import NotFoundError
from datwat.web.problems import PartsMissingError
from datwat.web.theme import Theme

_HERE: Final = Path(__file__).parent
_PARTS: Final = _HERE / "parts"
_STATIC: Final = _HERE / "static"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_DIGEST_SIGNS: Final = 16
_FONTS: Final = ("font-latin.woff2", "font-latin-ext.woff2")
_KINDS: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "woff2": "font/woff2",
    "svg": "image/svg+xml",
}
_COMMENT: Final = re.compile(r"/\*(?!\*?\s*@license).*?\*/", re.DOTALL)
_USED: Final = re.compile(r"var\(\s*(--[\w-]+)")
_STATED: Final = re.compile(r"^\s*(--[\w-]+):\s*([^;]+);", re.MULTILINE)
_ASSET: Final = re.compile(r"asset:([\w.-]+)")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent, and packed where that makes it smaller."""

    url: str
    kind: str
    content: bytes = field(repr=False)
    packed: bytes | None = field(repr=False)


class Assets:
    """Every static file of a party's pages, by its name."""

    def __init__(self, files: Mapping[str, bytes], icons: Mapping[str, str]) -> None:
        """Give each file its address; `icons` are the insides of `<svg>` by name."""
        self.icons = icons
        self._held = {name: _build(name, content) for name, content in files.items()}
        self._by_url = {asset.url: asset for asset in self._held.values()}

    def url(self, name: str) -> str:
        """Return the address of a file; a name that is not there is a fault of ours (KeyError)."""
        return self._held[name].url

    def read(self, name: str) -> bytes:
        """Return the bytes of a file; KeyError as for `url`."""
        return self._held[name].content

    def build_routes(self) -> tuple[Route, ...]:
        """Return the route that serves all of them."""
        return (Route("/static/{digest}/{name}", self.serve, methods=["GET"]),)

    async def serve(self, request: Request) -> Response:
        """Answer a file that anybody may keep for ever; raise NotFoundError."""
        asset = self._by_url.get(request.url.path)
        if asset is None:
            raise NotFoundError
        headers = {
            "Cache-Control": _FOR_EVER,
            "Cross-Origin-Resource-Policy": "same-origin",
            "Vary": "Accept-Encoding",
        }
        # A logo is a picture: opened by itself it runs nothing either.
        headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
        content = asset.content
        if asset.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            content = asset.packed
        return Response(content, 200, headers, asset.kind)


def load_assets(theme: Theme, more: Mapping[str, bytes] | None = None) -> Assets:
    """Return the files of the package, of npm and of a theme; raise PartsMissingError.

    `more` are a party's own files by name, for pages that ask for them.
    """
    try:
        files = {name: (_PARTS / name).read_bytes() for name in _FONTS}
        files |= more or {}
        htmx = (_PARTS / "htmx.js").read_text("utf-8")
        utrecht = (_PARTS / "utrecht.css").read_text("utf-8")
        tokens = (_PARTS / "tokens.css").read_text("utf-8")
        icons: dict[str, str] = json.loads((_PARTS / "icons.json").read_text("utf-8"))
    except (OSError, ValueError):
        raise PartsMissingError from None
    own = (_STATIC / "datwat.css").read_text("utf-8")
    fonts = {name: _build(name, files[name]).url for name in _FONTS}
    css = build_css(utrecht, tokens, own, theme.css)
    # Relative: the style sheet lies two folders deep, like every file here.
    css = _ASSET.sub(lambda found: fonts[found[1]].replace("/static/", "../"), css)
    files["pages.css"] = css.encode()
    script = (_STATIC / "datwat.js").read_text("utf-8")
    files["pages.js"] = f"{htmx}\n;{script}".encode()
    files["logo.svg"] = theme.logo
    return Assets(files, icons)


def build_css(utrecht: str, tokens: str, own: str, theme: str) -> str:
    """Return one style sheet: components, the tokens that anything uses, our own, the theme. Pure.

    Each is a layer above the one before it, so that what a theme says wins without louder rules.
    """
    stated = dict(_STATED.findall(tokens))
    used: dict[str, str] = {}
    waiting = sorted(set(_USED.findall(utrecht + own + theme)))
    while waiting:
        name = waiting.pop()
        if name in stated and name not in used:
            used[name] = stated[name]
            waiting += _USED.findall(stated[name])
    block = "".join(f"{name}:{value};" for name, value in sorted(used.items()))
    utrecht = utrecht.replace('@charset "UTF-8";', "")
    parts = {
        "tokens": f".voorbeeld-theme{{{block}}}",
        "utrecht": utrecht,
        "datwat": own,
        "theme": theme,
    }
    layers = "".join(f"@layer {name}{{{_shrink(css)}}}" for name, css in parts.items())
    return f'@charset "UTF-8";@layer {",".join(parts)};{layers}'


def _shrink(css: str) -> str:
    """Leave out comments (licences stay) and the spaces at the ends of lines."""
    lines = (line.strip() for line in _COMMENT.sub("", css).splitlines())
    return "\n".join(line for line in lines if line)


def _build(name: str, content: bytes) -> Asset:
    digest = hashlib.sha256(content).hexdigest()[:_DIGEST_SIGNS]
    kind = _KINDS[name.rpartition(".")[2]]
    packed = None if name.endswith(".woff2") else gzip.compress(content, mtime=0)
    return Asset(f"/static/{digest}/{name}", kind, content, packed)
