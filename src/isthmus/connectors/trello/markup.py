"""Descriptions: Markdown on Trello, HTML on our side, and no drift between the two."""

from functools import cache
from typing import Final

from bs4 import BeautifulSoup
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

from isthmus.connectors.trello.markdown import MarkdownWriter, bare_url_at, words

_ROUNDS: Final = 6
"""Each round settles what the last one uncovered; two are usual, more are for hostile HTML."""


def markdown_to_html(text: str | None) -> str:
    """Turn Markdown into HTML as our side keeps it.

    CommonMark with tables and strikethrough. HTML inside the Markdown is shown as text, and links
    that could run a script stay text. A bare web address is a link, as people on Trello expect.

    Args:
        text: Markdown; None and blank text are empty.

    Returns:
        HTML without a newline at its end; "" for nothing.

    >>> markdown_to_html("Some **bold** text")
    '<p>Some <strong>bold</strong> text</p>'
    """
    return _parser().render(text).strip("\n") if text else ""


def html_to_markdown(html: str | None) -> str:
    r"""Turn HTML into Markdown in the one spelling that comes back unchanged.

    The same text can be written in many ways. Whatever this gives, turned into HTML and back, is
    itself again, so that a description which nobody edited never looks changed. No word is lost
    or added; formatting that Markdown has not is.

    Args:
        html: HTML from any editor; None is empty.

    Returns:
        Markdown without blank lines around it; "" for nothing. `InvalidDataError` is raised for
        HTML nested deeper than any editor makes it.

    >>> html_to_markdown("<p>Some <b>bold</b> text</p><ul><li>one</li></ul>")
    'Some **bold** text\n\n* one'
    >>> html_to_markdown("<p><br></p>")
    ''
    """
    if not html:
        return ""
    writer = MarkdownWriter(_parser())
    text = writer.convert(html)
    if words(BeautifulSoup(markdown_to_html(text), "html.parser")) != writer.words:
        # Markdown cannot say some nestings of emphasis; its marks would be read as text then.
        text = MarkdownWriter(_parser(), plain=True).convert(html)
    for _ in range(_ROUNDS):
        again = MarkdownWriter(_parser()).convert(markdown_to_html(text))
        if again == text:
            break
        text = again
    return text


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.inline.ruler.before("autolink", "bare_url", _bare_url)
    return parser


def _bare_url(state: StateInline, silent: bool) -> bool:
    """Make a link of a bare web address; without it ``_`` in an address would be emphasis."""
    if silent or state.linkLevel > 0 or not state.src.startswith("://", state.pos):
        return False
    found = bare_url_at(state.src, state.pos)
    if found is None:
        return False
    scheme, url = found
    href = state.md.normalizeLink(url)
    if not state.pending.endswith(scheme) or not state.md.validateLink(href):
        return False
    state.pending = state.pending[: -len(scheme)]
    state.push("link_open", "a", 1).attrs = {"href": href}
    state.push("text", "", 0).content = url
    state.push("link_close", "a", -1)
    state.pos += len(url) - len(scheme)
    return True
