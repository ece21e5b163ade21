import pytest

from isthmus.simulators.odoo.html import sanitized


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("", ""),
        (" ", ""),
        ("a < b & c", "<p>a &lt; b &amp; c</p>"),
        ("line1\nline2", "<p>line1\nline2</p>"),
        ("<b>x</b> tail", "<span><b>x</b> tail</span>"),
        ("<i>a</i><i>b</i>", "<span><i>a</i><i>b</i></span>"),
        ("<p>x</p>\n<p>y</p>", "<p>x</p>\n<p>y</p>"),
        ("  <p>x</p>  ", "<p>x</p>  "),
        ("<p></p>", "<p></p>"),
        ("<p>x</p><p>y \" '</p>", "<p>x</p><p>y \" '</p>"),
        ("<p>a > b\xa0c</p>", "<p>a &gt; b&nbsp;c</p>"),
        ("<p>&nbsp;x</p>", "<p>&nbsp;x</p>"),
        ("x<br/>y", "<p>x<br>y</p>"),
        ("text<p>x</p>", "<p>text</p><p>x</p>"),
        ("<h1>t</h1> ok", "<h1>t</h1> ok"),
        ("<p>unclosed", "<p>unclosed</p>"),
        ("<p>a<p>b", "<p>a</p><p>b</p>"),
        ("<ul><li>a<li>b</ul>", "<ul><li>a</li><li>b</li></ul>"),
        ("<a href='javascript:x'>q</a>", '<a href="">q</a>'),
        ('<a href="http://x.y/?a=1&b=2">l</a>', '<a href="http://x.y/?a=1&amp;b=2">l</a>'),
        ("<p>x<script>y</script>z</p>", "<p>xz</p>"),
        ("<p>x<!-- c --></p>", "<p>x<!-- c --></p>"),
        ("<custom>x</custom>", "<p>x</p>"),
        ("<input type='checkbox' checked>", ""),
        (
            "<div data-x='1' style='color:red' onclick='y'>s</div>",
            '<div data-x="1" style="color:red">s</div>',
        ),
        ("<p>a ä Ω ж 漢 \u200d 😀</p>", "<p>a ä Ω ж 漢 \u200d 😀</p>"),
    ],
)
def test_html_is_kept_as_the_recorded_odoo_18_kept_it(given: str, kept: str) -> None:
    """Text gets a paragraph, what could run is taken out."""
    assert sanitized(given) == kept
