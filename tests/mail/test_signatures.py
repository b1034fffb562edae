"""A signature that we check ourselves: it holds for the letter as it was signed, by a key that the admin wrote down."""

import base64
import time

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from agent.config.values import dkim_key
from connectors.mail.authentication import judge
from connectors.mail.mime import parse
from connectors.mail.signatures import signers

HEAD = (
    b"From: Ruth <ruth@client.example>\r\nTo: anna@ours.example\r\nSubject: Offer\r\n"
    b"Date: Mon, 2 Mar 2026 10:00:00 +0000\r\n"
)
BODY = b"\r\nWe take it.\r\n\r\nRuth\r\n"
ALL = [b"From", b"To", b"Subject", b"Date"]
PRIVATE = generate_private_key(65537, 2048)


def record(key: RSAPrivateKey, name: str = "mail._domainkey.client.example") -> str:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return dkim_key(f"{name} v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}")


KEYS = (record(PRIVATE),)


def signed(
    letter: bytes = HEAD + BODY,
    domain: bytes = b"client.example",
    headers: list[bytes] = ALL,
    length: bool = False,
    algorithm: bytes = b"rsa-sha256",
) -> bytes:
    pem = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    canonical = (b"relaxed", b"relaxed")
    made = dkim.DKIM(letter, signature_algorithm=algorithm)
    return bytes(made.sign(b"mail", domain, pem, None, None, canonical, headers, length)) + letter


def of(letter: bytes, keys: tuple[str, ...] = KEYS) -> list[str]:
    return list(signers(letter, keys))


def test_a_letter_that_its_sender_signed_is_his() -> None:
    letter = signed()
    assert of(letter) == of(letter.replace(b"\r\n", b"\n")) == ["client.example"]
    assert judge(parse(letter), (), lambda: signers(letter, KEYS))[0] == "authenticated"
    assert judge(parse(letter), ())[0] == "unknown"


def test_what_our_own_server_says_comes_first() -> None:
    letter = b"Authentication-Results: mx.ours.example; spf=none; dkim=fail\r\n" + signed()
    assert judge(parse(letter), ("mx.ours.example",), lambda: signers(letter, KEYS))[0] == "unknown"


def test_a_signature_of_another_house_says_nothing_of_the_sender() -> None:
    letter = signed(domain=b"bulk.example")
    keys = (record(PRIVATE, "mail._domainkey.bulk.example"),)
    assert of(letter, keys) == ["bulk.example"]
    assert judge(parse(letter), (), lambda: signers(letter, keys))[0] == "unknown"


def test_without_the_key_of_its_domain_nobody_is_asked() -> None:
    assert of(signed(), ()) == of(signed(), (record(PRIVATE, "other._domainkey.client.example"),)) == []


@pytest.mark.parametrize(
    "forged",
    [
        signed().replace(b"We take it", b"Pay to our new account"),
        signed().replace(b"Subject: Offer", b"Subject: Invoice"),
        b"Subject: Invoice\r\n" + signed(),
        b"Content-Type: text/html\r\nContent-Type: text/plain\r\n" + signed(),
        signed().replace(b"From: Ruth", b"From: Mallory <x@evil.example>\r\nFrom: Ruth"),
        signed(headers=[b"From"]).replace(b"Subject: Offer", b"Subject: Invoice"),
        signed(length=True) + b"Pay to our new account.\r\n",
        signed().replace(b" b=", b" b=BBBB"),
        signed().replace(b"d=client.example", b"d=client.example; x=1"),
        signed(letter=HEAD + b"X-Pad: " + b" " * 2_000 + b"x\r\n" + BODY),
        b" folded from nowhere\r\n" + signed(),
        b"DKIM-Signature: v=1; a=rsa-sha256; d=client.example; s=mail; h=from:subject:date\r\n" + HEAD + BODY,
        b"DKIM-Signature: \xff\r\n" * 9 + signed(),
    ],
)
def test_a_letter_that_is_not_as_it_was_signed_is_nobodys(forged: bytes) -> None:
    assert of(forged) == []


def test_another_key_of_that_name_does_not_fit() -> None:
    assert of(signed(), (record(generate_private_key(65537, 2048)),)) == []


def test_a_second_signature_counts_when_the_first_does_not() -> None:
    broken = b"DKIM-Signature: v=1; a=rsa-sha256; d=client.example; s=mail; h=from:subject:date; bh=AAAA; b=AAAA\r\n"
    assert of(broken + signed()) == ["client.example"]


@pytest.mark.parametrize("piece", [b" ", b"\t ", b"a ", b"\r\n", b"\r\n \r\n", b"\r\n ", b"=", b"; b=", b"A: a\r\n"])
def test_a_letter_made_to_be_slow_to_check_is_not(piece: bytes) -> None:
    attacks = [signed() + piece * 100_000, piece * 50_000 + signed()]
    for tag in (b" b=", b"bh=", b"h="):
        attacks += [signed().replace(tag, tag + piece * count) for count in (300, 3_000)]
    start = time.process_time()
    for attack in attacks:
        of(attack)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "value",
    [
        'Mail._DomainKey.Client.Example. "v=DKIM1; k=rsa; " "p=MIIB" "IjAN"',
        "mail._domainkey.client.example   v=DKIM1; k=rsa; p=MIIBIjAN",
    ],
)
def test_a_key_is_written_as_the_domain_name_system_shows_it(value: str) -> None:
    assert dkim_key(value) == "mail._domainkey.client.example v=DKIM1; k=rsa; p=MIIBIjAN"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "client.example p=MIIB",
        "mail._domainkey.client.example v=DKIM1; p=",
        "mail._domainkey.c.example k=ed25519; p=x",
    ],
)
def test_what_is_no_key_is_told_at_once(value: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        dkim_key(value)
