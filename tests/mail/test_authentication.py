"""Who really sent a letter: only our own server's word counts."""

import tomllib
from pathlib import Path

import pytest

from connectors.domains import registrable
from connectors.mail.authentication import Verdict, is_of, judge, parse_authentication_results, proposed_id
from connectors.mail.mime import parse

OURS = ("mx.ours.example",)
CASES = {
    f"{path.stem}: {case['name']}": case
    for path in sorted((Path(__file__).parent.parent / "golden" / "senders").glob("*.toml"))
    for case in tomllib.loads(path.read_text("utf-8"))["case"]
}
CLIENT = "Ruth Calder <ruth@client.example>"


def verdict(*results: str, from_: str = CLIENT) -> Verdict:
    head = "".join(f"Authentication-Results: {each}\n" for each in results)
    return judge(parse(f"{head}From: {from_}\nSubject: x\n\nx".encode()), OURS)[0]


@pytest.mark.parametrize(
    "result",
    [
        "mx.ours.example; dmarc=pass header.from=client.example",
        "mx.ours.example; dkim=none; spf=softfail; dmarc=pass (p=none) header.from=client.example",
        "mx.ours.example; dkim=pass header.d=client.example; dmarc=none",
        "mx.ours.example; dkim=pass header.d=mail.client.example",
        "mx.ours.example; dkim=pass header.i=@client.example header.s=sel",
        "mx.ours.example; dkim=fail header.d=list.example; dkim=pass header.d=client.example",
        "mx.ours.example; spf=pass smtp.mailfrom=ruth@client.example; dkim=none; dmarc=none",
        "mx.ours.example; spf=pass smtp.mailfrom=client.example; dkim=none",
        "mx.ours.example; spf=pass smtp.mailfrom=bounce.client.example; dmarc=bestguesspass",
        "MX.Ours.Example 1; dmarc=pass header.from=client.example",
    ],
)
def test_a_client_whose_mail_server_is_in_order_is_recognized(result: str) -> None:
    assert verdict(result) == "authenticated"


@pytest.mark.parametrize(
    "result",
    [
        "mx.ours.example; dmarc=fail header.from=client.example",
        "mx.ours.example; spf=pass smtp.mailfrom=evil.example; dkim=pass header.d=evil.example; dmarc=fail",
        "mx.ours.example; spf=fail smtp.mailfrom=client.example; dkim=none; dmarc=none",
        "mx.ours.example; spf=fail smtp.mailfrom=client.example; dkim=fail",
    ],
)
def test_a_forged_letter_fails(result: str) -> None:
    assert verdict(result) == "failed"


@pytest.mark.parametrize(
    "result",
    [
        "mx.ours.example; spf=softfail smtp.mailfrom=client.example; dkim=none; dmarc=none",
        "mx.ours.example; spf=pass smtp.mailfrom=bulk.example; dmarc=none",
        "mx.ours.example; dkim=pass header.d=bulk.example; dmarc=none",
        "mx.ours.example; spf=fail smtp.mailfrom=list.example; dkim=pass header.d=list.example",
        "mx.ours.example; spf=pass smtp.mailfrom=notclient.example",
        "mx.ours.example; dkim=pass header.d=example",
        "mx.ours.example; dmarc=pass header.from=evil.example",
        "mx.ours.example; none",
        "mx.ours.example; spf=pass smtp.mailfrom=client.example; dmarc=temperror header.from=client.example",
        "mx.ours.example; dkim=pass (header.d=client.example)",
        'mx.ours.example; x-note="dmarc=pass; dkim=pass header.d=client.example"',
        "mail.evil.example; dmarc=pass header.from=client.example",
        "mx.ours.example.evil.example; dmarc=pass header.from=client.example",
        "",
    ],
)
def test_what_proves_nothing_leaves_the_sender_unknown(result: str) -> None:
    assert verdict(result) == "unknown"


def test_a_header_that_the_sender_brought_along_does_not_outweigh_ours() -> None:
    ours, forged = "mx.ours.example; spf=none; dmarc=none", "mx.ours.example; dmarc=pass header.from=client.example"
    assert verdict(ours, forged) == "unknown"
    assert verdict("mx.ours.example; dmarc=fail", forged) == "failed"


def test_a_header_of_another_server_above_ours_says_nothing() -> None:
    assert verdict("relay.other.example; dmarc=fail", "mx.ours.example; dmarc=pass") == "authenticated"


def test_without_a_server_of_ours_nobody_is_known() -> None:
    letter = parse(b"Authentication-Results: ; dmarc=pass\nFrom: ruth@client.example\n\nx")
    assert judge(letter, ())[0] == "unknown"


def test_a_microsoft_server_names_no_id() -> None:
    letter = parse(
        b"Authentication-Results: spf=pass (sender IP is 192.0.2.1)\n smtp.mailfrom=client.example;\n dkim=pass"
        b" (signature was verified) header.d=client.example;dmarc=pass action=none\n header.from=client.example;"
        b"compauth=pass reason=100\nFrom: ruth@client.example\n\nx"
    )
    assert judge(letter, ("",))[0] == "authenticated"
    assert judge(letter, OURS)[0] == "unknown"


@pytest.mark.parametrize(
    "from_",
    [
        '"ruth@client.example" <x@evil.example>',
        '"Ruth Calder (ruth@client.example)" <x@evil.example>',
        '"ruth＠client.example" <x@evil.example>',
        "=?utf-8?B?cnV0aEBjbGllbnQuZXhhbXBsZQ==?= <x@evil.example>",
        "ruth@client.example <x@evil.example>",
        "x@evil.example, ruth@client.example",
        "<ruth@client.example> <x@evil.example>",
        "Sales: x@evil.example;",
        "x@evil.example\nFrom: ruth@client.example",
        "Nobody",
        "x@evil\u200b.example",
    ],
)
def test_a_sender_who_can_be_read_in_two_ways_is_never_recognized(from_: str) -> None:
    assert verdict("mx.ours.example; dmarc=pass header.from=evil.example", from_=from_) == "unknown"


@pytest.mark.parametrize(
    "from_",
    ['"ruth@client.example" <ruth@client.example>', "RUTH@CLIENT.EXAMPLE", "Ruth @ Client <ruth@client.example>"],
)
def test_a_name_that_repeats_the_address_is_no_trick(from_: str) -> None:
    assert verdict("mx.ours.example; dmarc=pass header.from=client.example", from_=from_) == "authenticated"


@pytest.mark.parametrize("name", CASES)
def test_whose_letter_it_is_follows_from_what_our_own_server_wrote_on_top(name: str) -> None:
    case = CASES[name]
    head = case["head"].removeprefix("\n")
    if "\nFrom" not in f"\n{head}":
        head = f"From: {CLIENT}\nTo: anna@ours.example\n{head}"
    verdict, why = judge(parse(f"{head}\nA letter.\n".encode()), case.get("ids", OURS))
    assert verdict == case["verdict"], why


def test_there_are_letters_of_many_servers_and_many_forgers() -> None:
    assert len(CASES) >= 100
    assert {case["verdict"] for case in CASES.values()} == {"authenticated", "failed", "unknown"}


@pytest.mark.parametrize(
    ("seen", "proposed"),
    [
        ({"mx.ours.example": 40, "relay.other.example": 3}, "mx.ours.example"),
        ({"mxfront1.mail.yandex.net": 4, "mxfront2.mail.yandex.net": 5, "relay.other.example": 5}, "*.yandex.net"),
        ({"": 30, "mx.other.example": 2}, ""),
    ],
)
def test_the_server_that_check_proposes_is_the_one_on_top_of_most_letters(seen: dict[str, int], proposed: str) -> None:
    assert proposed_id(seen) == proposed
    assert all(is_of(server, [proposed]) for server in seen if "other" not in server)


def test_the_header_is_read_as_its_standard_has_it() -> None:
    found = parse_authentication_results(
        'mx.ours.example 1; dkim/1=pass (2048-bit; "good") reason="ok; fine" header.d=client.example'
        ' header.i=@client.example; spf = pass smtp.mailfrom="ruth@client.example"; auth=pass (cram-md5) smtp.auth=u; ;'
    )
    assert found.authserv_id == "mx.ours.example"
    assert [(each.method, each.result) for each in found.results] == [
        ("dkim", "pass"),
        ("spf", "pass"),
        ("auth", "pass"),
    ]
    assert found.results[0].properties["header.d"] == "client.example"
    assert found.results[0].properties["reason"] == "ok; fine"
    assert found.results[1].properties["smtp.mailfrom"] == "ruth@client.example"


@pytest.mark.parametrize(
    ("domain", "organization"),
    [
        ("mail.client.example", "client.example"),
        ("a.b.client.co.uk", "client.co.uk"),
        ("one.github.io", "one.github.io"),
        ("почта.клиент.рф", "клиент.рф"),
        ("localhost", "localhost"),
        ("", ""),
    ],
)
def test_the_domain_that_an_organization_registered(domain: str, organization: str) -> None:
    assert registrable(domain) == organization
