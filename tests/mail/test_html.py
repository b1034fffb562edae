"""HTML to the text that a reader sees, with marks for what is quoted, signed or hidden."""

import time

import pytest

from connectors.text.html import to_text


def text_of(source: str) -> str:
    return to_text(source)[0]


def marked(source: str, kind: str) -> list[str]:
    text, cuts = to_text(source)
    return [text[cut.start : cut.end] for cut in cuts if cut.kind == kind]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("<div>One</div><div>Two</div>", "One\nTwo"),
        ("One<br>Two<br><br>Three", "One\nTwo\n\nThree"),
        ("One <b>two</b>\n   three&nbsp;four", "One two three four"),
        ("<ul><li>One<li>Two</ul><ol><li>A</li><li>B</li></ol>", "- One\n- Two\n1. A\n2. B"),
        ("<table><tr><td>Price</td><td>100</td></tr><tr><td>Total<td>200</table>", "Price 100\nTotal 200"),
        ('<a href="https://x.example">the offer</a>', "the offer"),
        ("a &lt; b &amp; c &#8212; d &copy", "a < b & c — d ©"),
        ("2 < 3 and 5 > 4", "2 < 3 and 5 > 4"),
        ("<style>p{color:red}</style><script>x()</script><title>T</title>Seen", "Seen"),
        ("<!-- <p>no</p> -->Yes<!--[if mso]>no<![endif]-->", "Yes"),
        ("<p>One<p>Two<div>Three</p>Four", "One\n\nTwo\n\nThree\n\nFour"),
        ("<pre>a\n  b\n\nc</pre>", "a\n  b\n\nc"),
        ("<p class=MsoNormal>One</p><p class=MsoNormal><o:p>&nbsp;</o:p></p><p class=MsoNormal>Two</p>", "One\n\nTwo"),
        ("<p title=\"a > b\" data-x='<b>'>One", "One"),
        ("p&#x202e;fdp&#0;&#7;&zwnj;&#8203;", "pfdp\ufffd"),
        ("", ""),
    ],
)
def test_a_letter_reads_as_in_a_mail_program(source: str, text: str) -> None:
    assert text_of(source) == text


@pytest.mark.parametrize(
    "style",
    [
        "display:none",
        "DISPLAY: none !important",
        "visibility:hidden",
        "font-size:0",
        "font-size:0px;line-height:0",
        "font-size:1px",
        "opacity:0",
        "opacity: 0.0",
        "max-height:0;overflow:hidden",
        "width:0;overflow:hidden",
        "mso-hide:all",
        "color:#fff",
        "color: rgb(255,255,255)",
        "color:white;background-color:#ffffff",
        "color:#fefefe",
        "color:transparent",
        "background:#000;color:black",
        "text-indent:-9999px",
        "position:absolute;left:-5000px",
    ],
)
def test_text_that_nobody_sees_is_hidden(style: str) -> None:
    source = f'Seen <span style="{style}">accepted</span> seen'
    assert marked(source, "hidden") == ["accepted"]


@pytest.mark.parametrize(
    "style",
    [
        "font-size:0.9em",
        "font-size:10px",
        "opacity:0.8",
        "max-height:0",
        "color:#333",
        "color:#fff;background-color:#000",
        "color:#fff;background:url(x.png)",
        "display:block",
        "line-height:0",
    ],
)
def test_text_that_is_seen_is_not_hidden(style: str) -> None:
    assert marked(f'<span style="{style}">accepted</span>', "hidden") == []


def test_hiding_is_inherited_and_a_font_can_come_back() -> None:
    source = '<td style="font-size:0">gap<div style="font-size:14px">text</div></td><div hidden>x<p>y</p></div>z'
    assert marked(source, "hidden") == ["gap", "x\n\ny"]


def test_white_letters_on_a_dark_button_are_seen() -> None:
    assert marked('<td bgcolor="#336699"><a style="color:#ffffff">Order</a></td>', "hidden") == []
    assert marked('<body bgcolor="black" text="white"><p>Night</p></body>', "hidden") == []
    assert marked('<div style="background:#fff"><font color="#FFFFFF">trick</font></div>', "hidden") == ["trick"]


def test_a_style_sheet_hides_too_but_not_for_phones_only() -> None:
    sheet = "<style>.pre, #top{display:none!important} @media (max-width:9px){.wide{display:none}}</style>"
    assert marked(f'{sheet}<p class="pre">a</p><p id=top>b</p><p class="wide">c</p>', "hidden") == ["a\n\nb"]


def test_white_letters_on_what_a_style_sheet_paints_are_seen() -> None:
    sheet = "<style>td.button{background:#336699} .plain{margin:0}</style>"
    assert marked(f'{sheet}<td class="button"><span style="color:white">Order</span></td>', "hidden") == []
    assert marked(f'{sheet}<td class="plain"><span style="color:white">trick</span></td>', "hidden") == ["trick"]


QUOTATIONS = {
    "gmail": '<div class="gmail_quote"><div class="gmail_attr">On Monday:</div><blockquote>Old</blockquote></div>',
    "gmail without attribution": '<div class="gmail_quote">On Monday A wrote:<br><blockquote>Old</blockquote></div>',
    "apple": '<blockquote type="cite">On Monday A wrote:<div>Old</div></blockquote>',
    "yahoo": '<div id="yahoo_quoted_1" class="ydp1yahoo_quoted">On Monday A wrote:<p>Old</p></div>',
    "thunderbird": '<div class="moz-cite-prefix">On Monday A wrote:</div><blockquote type="cite">Old</blockquote>',
    "proton": '<div class="protonmail_quote">On Monday A wrote:<blockquote>Old</blockquote></div>',
    "mail.ru": '<blockquote>On Monday A wrote:<div class="js-readmsg-msg">Old</div></blockquote>',
    "collapsed": '<div class="mail-quote-collapse">On Monday A wrote:<p>Old</p></div>',
    "outlook web": '<div id="appendonsend"></div><hr><div id="divRplyFwdMsg">From: A</div><div>Old</div>',
    "outlook web, quoted once more": '<div id="x_divRplyFwdMsg">From: A</div><div>Old</div>',
    "outlook": "<div style='border:none;border-top:solid #E1E1E1 1.0pt'><p>From: A<br>Sent: Mon</p></div>Old",
    "outlook in Russian": "<div style='border-top:solid #B5C4DF 1.0pt'><p>От: А<br>Отправлено: пн</p></div><p>Old</p>",
    "outlook for Mac": '<span id="OLK_SRC_BODY_SECTION"><div>From: A</div><div>Old</div></span>',
    "zimbra": '<hr id="zwchr"><div data-marker="__HEADERS__">From: A</div><div data-marker="__QUOTED_TEXT__">Old</div>',
}


@pytest.mark.parametrize("quotation", QUOTATIONS.values(), ids=QUOTATIONS.keys())
def test_what_a_mail_program_quotes_is_quoted(quotation: str) -> None:
    text, cuts = to_text(f"<div>We accept.</div>{quotation}")
    assert text.startswith("We accept.")
    assert [(cut.start > 9, cut.end, cut.kind) for cut in cuts] == [(True, len(text), "quoted")]
    assert "Old" in text[cuts[0].start :]


def test_answers_between_the_lines_are_new() -> None:
    source = (
        '<div class="gmail_quote"><div class="gmail_attr">On Monday A wrote:</div>'
        "<blockquote>How many?</blockquote><div>Forty.</div><blockquote>When?</blockquote><div>In June.</div></div>"
    )
    text, cuts = to_text(source)
    assert [text[cut.start : cut.end] for cut in cuts] == ["On Monday A wrote:\n\nHow many?", "When?"]
    assert "Forty." in text


def test_a_forward_is_told_from_a_quotation() -> None:
    forward = "---------- Forwarded message ---------<br>From: A<br>Text<blockquote>x</blockquote>y"
    source = f'See:<div class="gmail_quote">{forward}</div>'
    assert marked(source, "forwarded") == ["---------- Forwarded message ---------\nFrom: A\nText\n\nx\n\ny"]
    russian = '<div class="gmail_quote">---------- Пересылаемое сообщение ---------<br>От: А</div>'
    assert len(marked(russian, "forwarded")) == 1


def test_text_that_is_only_indented_is_not_quoted() -> None:
    assert to_text('<blockquote style="margin:0 0 0 40px;border:none;padding:0px">ours</blockquote>')[1] == ()


def test_a_line_above_ordinary_text_is_no_quotation() -> None:
    assert to_text('<div style="border-top:solid #ccc 1px">From: our side all is done</div>Next')[1] == ()


@pytest.mark.parametrize(
    "signature",
    [
        '<div class="gmail_signature" data-smartmail="gmail_signature">Tobias<br>Northlane</div>',
        '<div id="Signature"><p>Tobias</p></div>',
        '<div id="ms-outlook-mobile-signature">Get Outlook for iOS</div>',
        '<div class="moz-signature">-- <br>Tobias</div>',
        '<div id="AppleMailSignature">Tobias</div>',
        '<div data-signature-widget="container"><div>--<br>Tobias</div></div>',
        '<div class="protonmail_signature_block">Tobias</div>',
    ],
)
def test_a_signature_is_marked_unless_the_whole_letter_was_written_into_it(signature: str) -> None:
    assert len(marked(f"<p>Agreed.</p>{signature}", "signature")) == 1
    assert to_text(signature)[1] == ()


def test_hidden_text_inside_a_quotation_is_hidden_not_quoted() -> None:
    source = '<blockquote>Old <span style="display:none">trick</span> text</blockquote>'
    assert marked(source, "hidden") == ["trick"]
    assert marked(source, "quoted") == ["Old", "text"]


def test_a_hundred_thousand_nested_elements_are_read_in_a_moment() -> None:
    start = time.process_time()
    assert text_of("<div>" * 100_000 + "deep") == "deep"
    assert time.process_time() - start < 5
