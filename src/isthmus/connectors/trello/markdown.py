"""Writing Markdown: markdownify with what CommonMark needs to read its text back unchanged."""

# ruff: noqa: ARG002, N802 - the signatures and names are markdownify's

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any, Final

from bs4 import BeautifulSoup
from bs4.element import Comment, NavigableString, Tag
from markdown_it import MarkdownIt
from markdownify import ATX, MarkdownConverter

from isthmus.errors import InvalidDataError

_BARE_URL: Final = re.compile(r"https?://[^\s<>\"'`*|\\\[\]{}^]+", re.IGNORECASE)
_AUTOLINK: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{1,31}:[^\s<>\x00-\x20]*")
_BLOCKS: Final = [
    *("p", "div", "ul", "ol", "li", "table", "pre", "blockquote", "hr", "section", "article"),
    *("h1", "h2", "h3", "h4", "h5", "h6"),
]
_SAME: Final = {"b": "strong", "i": "em", "del": "s", "strike": "s"}
_EMPHASIS: Final = ("strong", "em", "s")
_DROPPED: Final = ["script", "style", "head", "title", "template", "noscript", "iframe", "object"]
_DEEPEST: Final = 100
"""Writing recurses by level; Markdown itself nests no deeper than 20."""
_MOVABLE: Final = re.compile(r"(?<!\\)[.,:;!?]+$")


def _each_escaped(found: re.Match[str]) -> str:
    return "".join(f"\\{char}" for char in found[0])


_Escape = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]
_BRACKET: Final[_Escape] = (re.compile(r"\](?=[(\[:]|$)"), r"\\]")

# Each escapes only where the character would mean something: Trello shows these texts to people.
_ESCAPES: Final[list[_Escape]] = [
    (re.compile(r"\\(?=[!-/:-@\[-`{-~\n]|\s*$)"), r"\\\\"),
    (re.compile(r"`"), r"\\`"),
    (re.compile(r"(?<!\s)\*|\*(?!\s)"), r"\\*"),
    (re.compile(r"(?<!\w)_++|(?<!_)_++(?![^\W_])"), _each_escaped),
    (re.compile(r"~(?=~|$)|(?<=~)~|^~"), r"\\~"),
    _BRACKET,
    (re.compile(r"<(?=[A-Za-z][A-Za-z0-9+.\-]{1,31}:|[^\s<>]+@)"), r"\\<"),
    (re.compile(r"&(?=#\d{1,7};|#[xX][0-9a-fA-F]{1,6};|[A-Za-z][A-Za-z0-9]*;)"), r"\\&"),
    # What means something only at the start of a line.
    (re.compile(r"^(\s*)([-+*])(?=\s|$)", re.MULTILINE), r"\1\\\2"),
    (re.compile(r"^(\s*)(#{1,6})(?=\s|$)", re.MULTILINE), r"\1\\\2"),
    (re.compile(r"^(\s*)>", re.MULTILINE), r"\1\\>"),
    (re.compile(r"^(\s*\d{1,9})([.)])(?=\s|$)", re.MULTILINE), r"\1\\\2"),
    (re.compile(r"^(\s*)(=+|-{2,})(?=[^\S\n]*$)", re.MULTILINE), r"\1\\\2"),
    (re.compile(r"^(\s*)([|:][|:\- \t]*|-[|:\- \t]*[|:][|:\- \t]*)$", re.MULTILINE), r"\1\\\2"),
]

_ESCAPES_BUT_BRACKETS: Final = [escape for escape in _ESCAPES if escape is not _BRACKET]


def bare_url_at(text: str, colon: int) -> tuple[str, str] | None:
    """Read the web address whose "://" is at *colon*.

    Args:
        text: The line.
        colon: Where its colon is.

    Returns:
        The scheme and the whole address, without the punctuation that ends the sentence; None
        when there is none.

    >>> bare_url_at("see (https://example.org/a_b).", 10)
    ('https', 'https://example.org/a_b')
    """
    scheme = re.search(r"(?<![A-Za-z0-9])https?$", text[max(0, colon - 6) : colon], re.IGNORECASE)
    if scheme is None:
        return None
    found = _BARE_URL.match(text, colon - len(scheme[0]))
    if found is None:
        return None
    url = found[0]
    while url:
        trimmed = url.rstrip("?!.,:;~&#")
        if trimmed.endswith(")") and trimmed.count(")") > trimmed.count("("):
            trimmed = trimmed[:-1]
        if trimmed == url:
            break
        url = trimmed
    return (scheme[0], url) if len(url) > len(scheme[0]) + 3 else None


class MarkdownWriter(MarkdownConverter):
    """Writes one spelling of everything that `markdown_to_html` can say.

    Args:
        parser: Says which links are safe, and how it would spell them.
        plain: Leave out bold, italic and struck out.

    Attributes:
        words: What `words` gives for the HTML that was converted last.
    """

    def __init__(self, parser: MarkdownIt, *, plain: bool = False) -> None:
        # No "-" among the bullets: "- ---" would be a rule, not a list with a rule in it.
        super().__init__(heading_style=ATX, bullets="*+", strip_pre=None)
        self._parser = parser
        self._plain = plain
        self.words = ""

    def convert(self, html: str) -> str:
        """Turn HTML into Markdown, once.

        Raises:
            InvalidDataError: When tags are nested so deep that no editor has made them.
        """
        soup = BeautifulSoup(html, "html.parser")
        if _depth(soup) > _DEEPEST:
            msg = f"an HTML text is nested more than {_DEEPEST} tags deep and cannot be written as Markdown"
            raise InvalidDataError(msg)
        _simplify(soup, plain=self._plain)
        self.words = words(soup)
        text: str = self.convert_soup(soup)
        return text.strip("\n").rstrip()

    def process_text(self, el: NavigableString, parent_tags: set[str] | None = None) -> str:
        """Keep an exclamation mark before a link from making an image of it."""
        text: str = super().process_text(el, parent_tags=parent_tags)  # type: ignore[misc]  # not in its stubs
        follows = None if "_noformat" in (parent_tags or ()) else el.next_sibling
        if text.endswith("!") and isinstance(follows, Tag) and follows.name == "a":
            text = f"{text[:-1]}\\!"
        return text

    def escape(self, text: str, parent_tags: set[str]) -> str:
        """Escape what CommonMark would read as markup, outside web addresses."""
        if "a" in parent_tags:
            return re.sub(r"([\[\]])", r"\\\1", _escaped(text, _ESCAPES_BUT_BRACKETS))
        # A cell escapes its bars itself.
        escapes = _ESCAPES[:-1] if parent_tags & {"td", "th"} else _ESCAPES
        pieces, done = [], 0
        for found in re.finditer("://", text):
            if found.start() < done or (url := bare_url_at(text, found.start())) is None:
                continue
            start = found.start() - len(url[0])
            pieces += [_escaped(text[done:start], escapes), url[1]]
            done = start + len(url[1])
        return "".join([*pieces, _escaped(text[done:], escapes)])

    def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Write a link: bare where it can be, in angle brackets where not, else with its text."""
        href = self._parser.normalizeLink(str(el.get("href") or "").strip())
        if "_noformat" in parent_tags or not href or not self._parser.validateLink(href):
            return text
        before, label, after = _chomped(text)
        shown = el.get_text().strip()
        title = str(el.get("title") or "")
        if not label:
            return text
        if not title and not el.find(True) and self._parser.normalizeLink(shown) == href:
            if _stands_alone(el, shown):
                return f"{before}{shown}{after}"
            plain = self._parser.normalizeLinkText(shown) == shown
            if shown == href and plain and _AUTOLINK.fullmatch(shown):
                return f"{before}<{shown}>{after}"
        if "\n\n" in label or "\n" in title:
            label, title = re.sub(r"\s*\n\s*", " ", label), " ".join(title.split())
        return f"{before}[{label}]({_destination(href)}{_title(title)}){after}"

    def convert_img(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Write an image by its address; one whose data is in the page has none."""
        alt = re.sub(
            r"([\[\]])", r"\\\1", _escaped(" ".join(str(el.get("alt") or "").split()), _ESCAPES_BUT_BRACKETS)
        )
        src = self._parser.normalizeLink(str(el.get("src") or "").strip())
        if not src or src.startswith("data:") or not self._parser.validateLink(src):
            return ""
        return f"![{alt}]({_destination(src)}{_title(' '.join(str(el.get('title') or '').split()))})"

    def convert_strong(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Write bold text."""
        return _emphasised(el, text, "**", parent_tags)

    def convert_em(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Write italic text; beside bold text in the other spelling, for ``**a***b*`` is ambiguous."""
        touched = any(
            isinstance(beside, Tag) and beside.name == "strong"
            for beside in (el.previous_sibling, el.next_sibling)
        )
        return _emphasised(el, text, "_" if touched else "*", parent_tags)

    def convert_s(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Write struck out text."""
        return _emphasised(el, text, "~~", parent_tags)

    def convert_hN(self, n: int, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Write a heading; none without text."""
        if "_inline" in parent_tags:
            return text
        line = re.sub(r"(^|\s)(#+)$", r"\1\\\2", " ".join(text.split()))
        return f"\n\n{'#' * max(1, min(6, n))} {line}\n\n" if line else ""

    def convert_code(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Write code inside a line, on one line."""
        line = text if "pre" in parent_tags else re.sub(r"\s*\n\s*", " ", text)
        written: str = super().convert_code(el, line, parent_tags)  # type: ignore[misc]  # not in its stubs
        return written

    convert_kbd = convert_code
    convert_samp = convert_code

    def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Write code in a fence that is longer than any inside, with its language."""
        code = el.get_text().replace("\r\n", "\n")
        if el.contents and isinstance(el.contents[0], NavigableString):
            code = code.removeprefix("\n")  # as a browser does
        code = code.removesuffix("\n")
        if not code.strip():
            return ""
        longest = max((len(run) for run in re.findall("`{3,}", code)), default=2)
        fence = "`" * max(3, longest + 1)
        inner = el.find("code")
        classes = list(inner.get("class") or []) if isinstance(inner, Tag) else []
        language = next((str(c)[9:] for c in classes if re.fullmatch(r"language-[\w+#.\-]+", str(c))), "")
        return f"\n\n{fence}{language}\n{code}\n{fence}\n\n"

    def convert_li(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Write a list item; an empty one would make its list a loose one."""
        written: str = super().convert_li(el, text, parent_tags) if text.strip() else ""  # type: ignore[misc]  # not in its stubs
        return written

    def convert_list(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Write a list; inside an item only one that begins with 1 may follow text directly."""
        if "li" in parent_tags and el.name == "ol" and str(el.get("start") or "1") != "1":
            return f"\n\n{text.rstrip()}"
        written: str = super().convert_list(el, text, parent_tags)  # type: ignore[misc]  # not in its stubs
        return written

    convert_ul = convert_list
    convert_ol = convert_list

    def convert_td(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Write a cell: one line, its bars escaped."""
        return f" {' '.join(text.split()).replace('|', chr(92) + '|')} |"

    convert_th = convert_td


def _depth(soup: BeautifulSoup) -> int:
    """Tell how deep the deepest tag lies."""
    deepest = 0
    waiting: list[tuple[Tag, int]] = [(soup, 0)]
    while waiting:
        tag, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(child, depth + 1) for child in tag.contents if isinstance(child, Tag)]
    return deepest


def words(soup: BeautifulSoup) -> str:
    """Give all that a reader reads, without any blanks, to compare two spellings by."""
    return "".join(soup.get_text().split())


def _simplify(soup: BeautifulSoup, *, plain: bool) -> None:
    """Bring an editor's HTML to the few forms that Markdown has."""
    for comment in soup.find_all(string=lambda item: isinstance(item, Comment)):
        comment.extract()
    for tag in soup.find_all(_DROPPED):
        tag.decompose()
    for tag in soup.find_all(list(_SAME)):
        tag.name = _SAME[tag.name]
    for tag in soup.find_all(["span", "font", "u", "small", "big"]):
        tag.unwrap()
    for tag in soup.find_all(_EMPHASIS):
        if plain or tag.find(_BLOCKS) or tag.find_parent(tag.name) or tag.find_parent("a", href=False):
            tag.unwrap()
    for tag in soup.find_all("li"):
        if not tag.decomposed and not tag.get_text(strip=True) and not tag.find(["img", "hr"]):
            tag.decompose()
    for tag in soup.find_all("a"):
        if tag.find_parent("a"):
            tag.unwrap()
    soup.smooth()
    for tag in soup.find_all([*_EMPHASIS, "code"]):
        while isinstance(tag.next_sibling, Tag) and tag.next_sibling.name == tag.name:
            for child in list(tag.next_sibling.contents):
                tag.append(child.extract())
            tag.next_sibling.extract()
    soup.smooth()


def _escaped(text: str, escapes: Iterable[_Escape]) -> str:
    """Escape one piece of text; what stands beside it counts as unknown."""
    for pattern, replacement in escapes:
        text = pattern.sub(replacement, text)
    return text


def _chomped(text: str) -> tuple[str, str, str]:
    """Split blanks from around a text: markup must touch it."""
    inner = text.strip()
    if not inner:
        return text, "", ""
    at = text.index(inner)
    return text[:at], inner, text[at + len(inner) :]


def _emphasised(el: Tag, text: str, mark: str, parent_tags: set[str]) -> str:
    """Put marks around a text where CommonMark would read them as marks, else leave it plain."""
    before, inner, after = _chomped(text)
    if "_noformat" in parent_tags or not inner or re.search(r"\n[ \t]*\n", inner):
        return text
    left, right = _beside(el, back=True), _beside(el, back=False)
    if not after and _is_word(right) and (moved := _MOVABLE.search(inner)):
        left_over = inner[: moved.start()]
        inner = left_over.rstrip()
        after = left_over[len(inner) :] + moved[0]
        right = after[0]
    if not inner:
        return text
    if not before and _is_word(left) and (mark == "_" or not _is_word(inner[0])):
        return text
    if not after and _is_word(right) and (mark == "_" or not _is_word(inner[-1])):
        return text
    if mark[0] in (left, right, inner[0], inner[-1]) and mark == "~~":
        return text
    return f"{before}{mark}{inner}{mark}{after}"


def _beside(el: Tag, *, back: bool) -> str:
    """Give the character before or after an element in its line; "" at an end."""
    here: Any = el
    while here is not None:
        sibling = here.previous_sibling if back else here.next_sibling
        if sibling is not None:
            text = sibling.get_text() if isinstance(sibling, Tag) else str(sibling)
            if isinstance(sibling, Tag) and (sibling.name in (*_BLOCKS, "br", "img", "code", *_EMPHASIS)):
                return "" if sibling.name in (*_BLOCKS, "br") else "*"
            if text:
                return text[-1] if back else text[0]
            here = sibling
            continue
        here = here.parent
        if here is None or here.name in _BLOCKS or here.name in {"td", "th", "[document]"}:
            return ""
        if here.name in _EMPHASIS or here.name == "a":
            return "*"
    return ""


def _is_word(char: str) -> bool:
    """Tell whether a character is neither blank nor punctuation, as CommonMark sees it."""
    return bool(char) and not char.isspace() and unicodedata.category(char)[0] not in "PS"


def _stands_alone(el: Tag, url: str) -> bool:
    """Tell whether an address would be read as itself where it stands, without any marks."""
    if (found := bare_url_at(url, url.find(":"))) is None or found[1] != url:
        return False
    before, after = el.previous_sibling, el.next_sibling
    if isinstance(before, Tag):
        clear = before.name in {"br", "em", "strong", "code"}
    else:
        clear = before is None or not (str(before)[-1:].isalnum() or str(before).endswith("<"))
    if isinstance(after, Tag):
        return clear and after.name in {"br", "em", "strong", "code"}
    if after is None:
        return clear and (el.parent is None or el.parent.name != "s")
    return clear and bare_url_at(url + str(after)[:80], url.find(":")) == found


def _destination(href: str) -> str:
    """Write an address inside a link."""
    quoted = re.sub(r"[\s<>`\\|]", lambda found: f"%{ord(found[0]):02X}", href)
    return re.sub(r"([()]|&(?=#?\w+;))", r"\\\1", quoted)


def _title(title: str) -> str:
    if not title:
        return ""
    escaped = re.sub(r'(["\\&`])', r"\\\1", title)
    return f' "{escaped}"'
