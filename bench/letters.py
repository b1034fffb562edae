"""Letters for measuring: invented, half of them Russian, one in ten a newsletter, sizes as in real mailboxes."""

import base64
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

EN = (
    "we have looked at the offer for the cold room and the price per shelf is fine while the delivery in May is late "
    "for us could you bring it forward by two weeks and send the drawing of the door with the wiring plan as our "
    "electrician asks for it thank you for the visit on Tuesday the team liked the sample regards from the warehouse"
).split()
RU = (
    "мы посмотрели предложение по холодильной камере и цена за стеллаж нас устраивает но поставка в мае для нас поздно "
    "можно ли раньше на две недели и пришлите пожалуйста чертёж двери со схемой проводки её просит наш электрик "
    "спасибо за приезд во вторник команде понравился образец с уважением со склада"
).split()
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def letters(count: int, seed: int = 1, clients: int = 60) -> Iterator[bytes]:
    """`count` letters; a third of them from clients' domains (client0.example and so on)."""
    dice = random.Random(seed)
    for number in range(count):
        yield _letter(number, dice, clients)


def _letter(number: int, dice: random.Random, clients: int) -> bytes:
    russian, newsletter = dice.random() < 0.5, dice.random() < 0.1
    size = int(min(dice.lognormvariate(8.9, 1.45), 1_500_000))  # bytes; a median of about 10 KB with its MIME around
    body = _text(dice, RU if russian else EN, min(size // 4, 6_000))
    domain = (
        f"client{dice.randrange(clients)}.example" if dice.random() < 0.34 else f"other{dice.randrange(900)}.example"
    )
    verdict = f"spf=pass smtp.mailfrom={domain}; dkim=pass header.d={domain}; dmarc=pass header.from={domain}"
    head = [
        "Received: from mx.ours.example by mail.ours.example with ESMTP",
        f"Authentication-Results: mx.ours.example; {verdict}",
        f"From: {_name(russian)} <person{dice.randrange(9)}@{domain}>",
        "To: Anna Berg <anna@ours.example>",
        f"Subject: {_encoded('Камера ' + str(number)) if russian else 'Cold room ' + str(number)}",
        f"Date: {format_datetime(START + timedelta(minutes=7 * number))}",
        f"Message-ID: <{number}.{dice.getrandbits(40):x}@{domain}>",
        "MIME-Version: 1.0",
    ]
    if newsletter:
        head += ["Precedence: bulk", f"List-Unsubscribe: <https://{domain}/u/{number}>"]
    return ("\r\n".join(head) + "\r\n").encode() + _content(dice, body, size)


def _content(dice: random.Random, body: str, size: int) -> bytes:
    html = "<html><body>" + "".join(f"<p style='margin:0'>{p}</p>" for p in body.split("\n")) + "</body></html>"
    both = _multipart(
        dice,
        "alternative",
        _part("text/plain; charset=utf-8", body.encode()),
        _part("text/html; charset=utf-8", html.encode()),
    )
    if size < 20_000:
        return both
    return _multipart(dice, "mixed", both, _part('application/pdf; name="drawing.pdf"', dice.randbytes(size * 3 // 5)))


def _multipart(dice: random.Random, kind: str, *parts: bytes) -> bytes:
    mark = f"=_{dice.getrandbits(60):x}"
    inside = b"".join(f"--{mark}\r\n".encode() + part + b"\r\n" for part in parts)
    return f'Content-Type: multipart/{kind}; boundary="{mark}"\r\n\r\n'.encode() + inside + f"--{mark}--\r\n".encode()


def _part(kind: str, content: bytes) -> bytes:
    head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head.encode() + base64.encodebytes(content).replace(b"\n", b"\r\n")


def _text(dice: random.Random, words: list[str], length: int) -> str:
    chosen: list[str] = []
    while sum(map(len, chosen)) < length:
        chosen += [" ".join(dice.choices(words, k=12)), "\n" if dice.random() < 0.3 else " "]
    return "".join(chosen)


def _name(russian: bool) -> str:
    return _encoded("Вера Полянская") if russian else "Vera Pole"


def _encoded(text: str) -> str:
    return f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?="
