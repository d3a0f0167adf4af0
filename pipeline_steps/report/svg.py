"""Turns matplotlib's figures into SVG that lives in a page: in the page's colours and font, and with a name.

A chart is drawn in stand-in colours, which become the page's variables here. So it follows light, dark and print.
"""

import re
import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager
from html import escape
from io import StringIO
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

INK, MUTED, LINE, CHALLENGER, CHAMPION, GOOD, BAD, SURFACE = (f"#0a0b0{digit}" for digit in range(1, 9))
_VARIABLES = MappingProxyType({
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    CHALLENGER: "var(--challenger)",
    CHAMPION: "var(--champion)",
    GOOD: "var(--good)",
    BAD: "var(--bad)",
    SURFACE: "var(--surface)",
})  # fmt: skip
_STYLE: Mapping[Any, Any] = MappingProxyType({
    "svg.fonttype": "none",   # text stays text: it is read aloud, found and selected
    "text.parse_math": False, # a dollar sign in a column's name begins no formula
    "font.size": 12,
    "axes.unicode_minus": True,
})  # fmt: skip
_PROLOG = re.compile(r"^.*?(?=<svg )", re.DOTALL)
_HEAD = re.compile(r"^<svg [^>]*viewBox=\"([^\"]*)\"[^>]*>.*?</defs>", re.DOTALL)
_GROUP_ID = re.compile(r"^<g id=\"[^\"]*\"")
_FONT_FAMILY = re.compile(r" ?font-family: [^;\"]*;?")
_LONG_DECIMAL = re.compile(r"(\d\.\d\d)\d+")
_COLOUR = re.compile("|".join(_VARIABLES))
_TAG = re.compile(r"<[^>]*>")
_SPACE = re.compile(r"\s*\n\s*")


def style() -> AbstractContextManager[None]:
    """The settings under which charts have to be made as well as drawn: a text takes them when it is made."""
    return mpl.rc_context(dict(_STYLE))


def svg(figure: Figure, key: str, title: str, description: str) -> Markup:
    """A figure as an element of a page.

    Args:
        key: unique in the page: its ids are made from it.
        title: the name of the chart.
        description: what it shows, for those who do not see it.
    """
    drawn = _drawn(figure, key)
    head = _HEAD.match(drawn)
    if head is None:
        raise ValueError(f"matplotlib {mpl.__version__} writes another SVG than this code knows: {drawn[:200]}")
    body = _TAG.sub(lambda tag: _in_page(tag[0]), drawn[head.end() :])
    named = f'role="img" aria-labelledby="{key}-title" aria-describedby="{key}-description"'
    title_element = f'<title id="{key}-title">{escape(title)}</title>'
    description_element = f'<desc id="{key}-description">{escape(description)}</desc>'
    # Markup, unescaped: what data named is escaped by matplotlib's XML writer and, above, by escape.
    return Markup(f'<svg viewBox="{head[1]}" {named}>{title_element}{description_element}{body.strip()}')  # noqa: S704


def _in_page(tag: str) -> str:
    """A tag without what is unique in a file only, in the page's colours and font. Text between tags stays as it is."""
    tag = _COLOUR.sub(lambda colour: _VARIABLES[colour[0]], _FONT_FAMILY.sub("", _GROUP_ID.sub("<g", tag)))
    return _SPACE.sub(" ", _LONG_DECIMAL.sub(r"\1", tag)).replace("xlink:href", "href")


def _drawn(figure: Figure, key: str) -> str:
    out = StringIO()
    with warnings.catch_warnings(), mpl.rc_context({"svg.hashsalt": key}):
        # Only measured by matplotlib's font; the reader's browser has the other scripts' glyphs.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    return _PROLOG.sub("", out.getvalue())
