"""What Odoo makes of HTML that it is given: a cleaned fragment, text wrapped in a paragraph."""

import re
from functools import lru_cache
from html import escape
from html.parser import HTMLParser

_VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
_KILLED = frozenset({"script", "style", "object", "embed", "iframe", "meta", "link", "base", "head", "title"})
_UNWRAPPED = frozenset({"html", "body", "form", "input", "button", "select", "textarea", "option", "label"})
_INLINE = frozenset({
    "a", "abbr", "b", "bdi", "br", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img", "ins",
    "kbd", "mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u",
    "var", "wbr", "picture", "source", "figure", "figcaption", "video", "audio", "caption", "col", "colgroup",
})  # fmt: skip
_QUOTE = ' data-o-mail-quote-node="1" data-o-mail-quote="1"'
_BLOCK = frozenset({
    "address", "article", "aside", "blockquote", "div", "dl", "dt", "dd", "fieldset", "footer", "form",
    "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section",
    "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
})  # fmt: skip
_LINKS = ("href", "src", "action", "cite")
_BAD_SCHEMES = ("javascript:", "vbscript:", "data:text")
_PLAIN = re.compile(r"(?:<p>[^<>&\xa0]*</p>)+")
"""Paragraphs with nothing but text in them, which is what most are: they stay as they are."""


class _Cleaner(HTMLParser):
    """Writes the fragment anew; each top-level piece is kept apart, with what it is."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[tuple[str, str]] = []
        self._open: list[str] = []
        self._current: list[str] = []
        self._killing = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element, without what could run."""
        if tag in _KILLED:
            self._killing += tag not in _VOID
            return
        if self._killing or tag in _UNWRAPPED or tag not in _BLOCK | _INLINE:
            return
        if tag in {"p", "li"} and self._open[-1:] == [tag]:
            self.handle_endtag(tag)
        kept = "".join(_attribute(name, value) for name, value in attrs)
        self._current.append(f"<{tag}{kept}{_QUOTE if tag == 'blockquote' else ''}>")
        if tag in _VOID:
            self._end_piece(tag)
        else:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close an element, and those that were left open in it."""
        if tag in _KILLED:
            self._killing = max(0, self._killing - 1)
            return
        if self._killing or tag not in self._open:
            return
        while self._open:
            last = self._open.pop()
            self._current.append(f"</{last}>")
            if last == tag:
                break
        self._end_piece(tag)

    def handle_data(self, data: str) -> None:
        """Keep text."""
        if self._killing:
            return
        self._current.append(escape(data, quote=False).replace("\xa0", "&nbsp;"))
        self._end_piece("")

    def handle_comment(self, data: str) -> None:
        """Keep a comment that is within something."""
        if self._open and not self._killing:
            self._current.append(f"<!--{data}-->")

    def finish(self) -> list[tuple[str, str]]:
        """Close what is open."""
        self.close()
        if self._open:
            self.handle_endtag(self._open[0])
        return self.pieces

    def _end_piece(self, tag: str) -> None:
        if not self._open:
            self.pieces.append((tag, "".join(self._current)))
            self._current = []


def sanitized(text: str) -> str:
    """Clean a fragment as Odoo's editor fields do.

    >>> sanitized("a < b")
    '<p>a &lt; b</p>'
    >>> sanitized("<b>x</b> tail"), sanitized("<h1>t</h1> ok")
    ('<span><b>x</b> tail</span>', '<h1>t</h1> ok')
    >>> sanitized("<p onclick='x()'>a<script>alert(1)</script></p>")
    '<p>a</p>'
    """
    return text if _PLAIN.fullmatch(text) else _cleaned(text)


@lru_cache(maxsize=1024)
def _cleaned(text: str) -> str:
    if not text.strip():
        return ""
    cleaner = _Cleaner()
    cleaner.feed(text)
    pieces = cleaner.finish()
    while pieces and not pieces[0][1].strip():
        del pieces[0]
    if not pieces:
        return ""
    if pieces[0][0] == "" and pieces[0][1].strip():
        inline = next((n for n, (tag, _) in enumerate(pieces) if tag in _BLOCK), len(pieces))
        return f"<p>{_join(pieces[:inline])}</p>{_join(pieces[inline:])}"
    if len(pieces) == 1 or any(tag in _BLOCK for tag, _ in pieces):
        return _join(pieces)
    return f"<span>{_join(pieces)}</span>"


def _join(pieces: list[tuple[str, str]]) -> str:
    return "".join(text for _, text in pieces)


def _attribute(name: str, value: str | None) -> str:
    if name.startswith("on"):
        return ""
    kept = value or ""
    if name in _LINKS and kept.strip().lower().startswith(_BAD_SCHEMES):
        kept = ""
    return f' {name}="{escape(kept)}"'
