"""Descriptions go both ways without drifting."""

import pytest
from bs4 import BeautifulSoup
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.connectors.trello.markdown import bare_url_at
from isthmus.connectors.trello.markup import html_to_markdown, markdown_to_html
from isthmus.errors import InvalidDataError

# Whatever people type: words, marks, and marks that are not meant as such.
PIECES = st.one_of(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=6),
    st.sampled_from([
        "a",
        "foo bar",
        " ",
        "\n",
        "\n\n",
        "  \n",
        "\t",
        "    ",
        "*",
        "**",
        "_",
        "__",
        "~~",
        "`",
        "``",
        "```\n",
        "[",
        "]",
        "](http://x.y)",
        "!",
        "# ",
        "## ",
        "- ",
        "+ ",
        "* ",
        "1. ",
        "5) ",
        "> ",
        "---",
        "===",
        "|",
        "a|b\n-|-\n1|2",
        "http://x.y/a_b_c",
        "https://e.org/(q)_.",
        "<http://z.w>",
        "<",
        "<b>",
        "&",
        "&amp;",
        "&lt;",
        "\\",
        "```py\nx\n```",
        ".",
        ":",
        '"',
        "\xa0",
        "a@b.c",
        "😀",
        "漢",
    ]),
)
MARKDOWN = st.lists(PIECES, max_size=12).map("".join)

TEXT = st.sampled_from([
    "a",
    "foo bar",
    "* x",
    "- y",
    "# h",
    "1. z",
    "&gt; q",
    "a_b",
    "_c_",
    "**d**",
    "[f](g)",
    "`c`",
    " ",
    "\n",
    "!",
    "http://x.y/a_b",
    "&lt;b&gt;",
    "&amp;lt;",
    "\\",
    "Note:",
    "|",
    "---",
    "\n* n",
    "\n===",
    "&nbsp;",
    "é",
    "<br>",
])
INLINE = st.recursive(
    TEXT,
    lambda inner: st.builds(
        "<{0}>{1}</{0}>".format,
        st.sampled_from(["b", "i", "em", "strong", "s", "u", "code", "span"]),
        st.lists(inner, min_size=1, max_size=3).map("".join),
    ),
    max_leaves=5,
)
LINES = st.lists(INLINE, max_size=4).map("".join)
BLOCK = st.one_of(
    st.builds("<{0}>{1}</{0}>".format, st.sampled_from(["p", "div", "h1", "h3", "blockquote"]), LINES),
    st.builds(
        "<{0}>{1}</{0}>".format,
        st.sampled_from(["ul", "ol"]),
        st.lists(LINES.map("<li>{}</li>".format), max_size=3).map("".join),
    ),
)
HTML = st.lists(BLOCK, max_size=3).map("".join)

# A busy machine is no failure of ours.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def words(html):
    """All that a reader reads, without blanks."""
    return "".join(BeautifulSoup(html, "html.parser").get_text().split())


@unhurried
@given(text=MARKDOWN)
def test_markdown_is_brought_to_one_spelling_that_stays(text):
    """
    A description that nobody edited never looks changed, however it was typed.
    """
    once = html_to_markdown(markdown_to_html(text))

    assert html_to_markdown(markdown_to_html(once)) == once


@unhurried
@given(text=MARKDOWN)
def test_no_word_of_a_description_is_lost(text):
    """
    Bringing it to the one spelling changes marks, not words.
    """
    shown = markdown_to_html(text)

    assert words(markdown_to_html(html_to_markdown(shown))) == words(shown)


@unhurried
@given(html=HTML)
def test_html_of_any_editor_settles(html):
    """
    What an export wrote comes back as what was exported.
    """
    text = html_to_markdown(html)

    assert html_to_markdown(markdown_to_html(text)) == text


@unhurried
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Z"]), min_size=1))
def test_letters_of_all_planes_survive(text):
    """
    Every character that is not a blank or a control comes back.
    """
    html = markdown_to_html(
        html_to_markdown(BeautifulSoup("<p></p>", "html.parser").new_string(text).output_ready())
    )

    assert words(html) == "".join(text.split())


@pytest.mark.parametrize(
    "html", ["", None, "<p></p>", "<p><br></p>", "<div><p><br/></p></div>", "  ", "<!-- x -->"]
)
def test_nothing_in_html_is_nothing_in_markdown(html):
    """
    Editors leave an empty paragraph behind: that is an empty description.
    """
    assert html_to_markdown(html) == ""


@pytest.mark.parametrize("text", ["", None, " ", "\n\n"])
def test_nothing_in_markdown_is_nothing_in_html(text):
    """
    And the other way.
    """
    assert markdown_to_html(text) == ""


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("# Title", "<h1>Title</h1>"),
        ("**b** *i* ~~s~~ `c`", "<p><strong>b</strong> <em>i</em> <s>s</s> <code>c</code></p>"),
        ("* a\n* b\n  + c", "<ul>\n<li>a</li>\n<li>b\n<ul>\n<li>c</li>\n</ul>\n</li>\n</ul>"),
        ("3. a\n4. b", '<ol start="3">\n<li>a</li>\n<li>b</li>\n</ol>'),
        ("> quoted", "<blockquote>\n<p>quoted</p>\n</blockquote>"),
        ("```python\nx = 1\n```", '<pre><code class="language-python">x = 1\n</code></pre>'),
        ("[here](http://x.y/z)", '<p><a href="http://x.y/z">here</a></p>'),
        ("![logo](http://x.y/l.png)", '<p><img src="http://x.y/l.png" alt="logo" /></p>'),
        ("one  \ntwo", "<p>one<br />\ntwo</p>"),
        ("snake_case and 2 * 3", "<p>snake_case and 2 * 3</p>"),
        ("---", "<hr />"),
    ],
)
def test_common_markup_goes_both_ways(markdown, html):
    """
    Each form has one spelling on either side.
    """
    assert markdown_to_html(markdown) == html
    assert html_to_markdown(html) == markdown


def test_a_table_goes_both_ways():
    """
    Bars inside cells are escaped.
    """
    text = "| a | b |\n| --- | --- |\n| 1 \\| 2 | **3** |"

    assert html_to_markdown(markdown_to_html(text)) == text
    assert "<td>1 | 2</td>" in markdown_to_html(text)


@pytest.mark.parametrize(
    "text",
    ["see http://x.y/_a_/b_c, or (https://e.org/w_(x)).", "http://x.y/?a=1&b=_2_", "**http://x.y/_z**"],
)
def test_a_bare_address_stays_as_it_is(text):
    """
    Underscores in an address are no emphasis: people paste links all day.
    """
    html = markdown_to_html(text)

    assert "<em>" not in html
    assert html.count("<a href=") == text.count("http")
    assert html_to_markdown(html) == text


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))",
        "<script>alert(1)</script>",
        "<javascript:alert(1)>",
        '<a onclick="x">y</a>',
        "![x](javascript:alert(1))",
        "[x](data:text/html;base64,AAAA)",
        "[x](  vbscript:a)",
    ],
)
def test_nothing_that_could_run_gets_into_our_html(text):
    """
    HTML in a description is shown as text, and a dangerous link is no link.
    """
    soup = BeautifulSoup(markdown_to_html(text), "html.parser")

    assert {tag.name for tag in soup.find_all(True)} <= {"p"}


def test_what_an_editor_hides_does_not_get_into_the_markdown():
    """
    Scripts, styles, comments, dangerous links and pictures kept in the page itself are left out.
    """
    html = (
        "<style>p{}</style><script>x()</script><!-- c --><p>a <a href='javascript:x()'>b</a>"
        "<img alt='c' src='data:image/png;base64,AAAA'></p>"
    )

    assert html_to_markdown(html) == "a b"


def test_formatting_that_markdown_cannot_say_gives_way_to_the_words():
    """
    ``**Note:**text`` would show its asterisks: the colon leaves the bold part.
    """
    written = [
        html_to_markdown("<p><b>Note:</b>text</p>"),
        html_to_markdown("<p><b>one</b><b>two</b></p>"),
        html_to_markdown("<p><b>one</b><i>two</i></p>"),
        html_to_markdown("<p>a<b>(b)</b>c</p>"),
        html_to_markdown("<p><b><p>one</p><p>two</p></b></p>"),
    ]

    assert written == ["**Note**:text", "**onetwo**", "**one**_two_", "a(b)c", "one\n\ntwo"]


@pytest.mark.parametrize("tag", ["<b>", "<div>", "<ul><li>", "<blockquote>"])
def test_html_that_no_editor_makes_is_a_data_error(tag):
    """
    A hostile nesting parks one record and neither ends nor holds up the sync.
    """
    with pytest.raises(InvalidDataError, match="nested more than 100 tags deep"):
        html_to_markdown(tag * 3000 + "x")


def test_text_that_looks_like_markup_is_kept_as_text():
    """
    What a person typed into an HTML editor is shown on Trello as they typed it.
    """
    html = "<p># no heading<br>1. no list<br>*no* _emphasis_ `code` [l](u) C:\\temp a&amp;b 5 &lt; 6</p>"

    text = html_to_markdown(html)

    assert words(markdown_to_html(text)) == words(html)
    assert "C:\\temp a&b 5 < 6" in text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("http://x.y/a.", ("http", "http://x.y/a")),
        ("http://x.y/(a))", ("http", "http://x.y/(a)")),
        ("xhttp://x.y", None),
        ("ftp://x.y", None),
        ("http:// x", None),
        ("http://...", None),
    ],
)
def test_an_address_ends_before_the_punctuation_of_its_sentence(text, found):
    """
    A full stop or an unmatched bracket behind it belongs to the sentence.
    """
    assert bare_url_at(text, text.index("://")) == found
