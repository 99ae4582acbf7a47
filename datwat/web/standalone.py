"""A page as one file, for a web server to show when everything behind it is down.

Rule: nothing in it is fetched and nothing in it runs: style and logo are part of it, and its own
policy allows just those.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from datwat.web.i18n import Code
from datwat.web.pages import Frame, Pages

_HEAD: Final = re.compile(r'<link rel="(?:icon|stylesheet)"[^>]*>\n|<script[^>]*></script>\n')
_CONFIG: Final = re.compile(r"<meta name=\"htmx-config\"[^>]*>\n")
_LOCAL: Final = re.compile(r'(<a [^>]*?)\s*href="/[^"]*"')
_FONT: Final = re.compile(r"@font-face\s*\{[^}]*\}")


def build_standalone(pages: Pages, template: str, code: Code) -> bytes:
    """Return a page in a language as UTF-8 HTML that needs nothing else."""
    html = pages.render_text(code, template, None, Frame("", "", None, None))
    css = _FONT.sub("", pages.assets.read("pages.css").decode())
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'"
    logo = base64.b64encode(pages.assets.read("logo.svg")).decode()
    html = _CONFIG.sub("", _HEAD.sub("", html))
    html = html.replace(pages.assets.url("logo.svg"), f"data:image/svg+xml;base64,{logo}")
    # What is of this site is down as well: its words stay, its links do not.
    html = _LOCAL.sub(r"\1", html)
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<style>{css}</style>\n'
    return html.replace("</head>", head + "</head>", 1).encode()
