"""Bytes to text: right labels are believed, wrong ones are repaired only when the bytes say so clearly."""

import pytest

from connectors.text.charsets import codec_of, decode, guess

SHORT = [
    "Да, согласны",
    "Ок, согласны",
    "Привет",
    "Счёт № 5",
    "Добрый день! Высылаю договор.",
    "нет",
    "Re: Договор",
    "Цена",
    "ДОГОВОР ПОСТАВКИ",
    "Иван Петров",
    "Подскажите, пожалуйста, сроки",
    "Когда сможете отгрузить 20 шт.?",
    "ООО «Ромашка» — оплата по счёту",
    "Это дорого для нас, нужна скидка",
    "Щедрое предложение",
]
CYRILLIC = ["cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic"]


def encodable(text: str, codec: str) -> bool:
    try:
        text.encode(codec)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("codec", ["cp1251", "koi8_r", "cp866"])
@pytest.mark.parametrize("text", SHORT)
def test_a_short_russian_sentence_without_a_label_is_read(text: str, codec: str) -> None:
    if encodable(text, codec):
        assert guess(text.encode(codec)).text == text


@pytest.mark.parametrize("codec", CYRILLIC)
def test_a_russian_letter_without_a_label_is_read_in_all_five_codes(codec: str) -> None:
    text = "Добрый день! Посмотрели ваше предложение, условия нас устраивают. Пришлите договор. С уважением, Юлия"
    assert decode(text.encode(codec)).text == text


@pytest.mark.parametrize("text", ["café", "Müller GmbH", "Ça va? Très bien, à demain", "Señor Núñez", "Grüße aus Köln"])
def test_a_western_letter_without_a_label_does_not_become_russian(text: str) -> None:
    assert decode(text.encode("cp1252")).text == text


@pytest.mark.parametrize("codec", ["cp1251", "koi8_r"])
@pytest.mark.parametrize("label", ["koi8-r", "windows-1251", "iso-8859-1", "utf-8", "us-ascii", "gb2312", "x-unknown"])
def test_a_wrong_label_is_repaired(codec: str, label: str) -> None:
    text = "Подписали договор, оригинал отправим почтой."
    assert decode(text.encode(codec), label).text == text


@pytest.mark.parametrize("label", ["iso-8859-1", "us-ascii", "windows-1251", "koi8-r", "gb2312", "", "utf-16"])
@pytest.mark.parametrize(
    "text", ["Grüße aus Köln und Zürich für alle", "Согласны, ждём договор", "見積りをお願いします"]
)
def test_utf8_under_any_label_is_utf8(text: str, label: str) -> None:
    assert decode(text.encode(), label).text == text


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("ДОГОВОР", "windows-1251"),
        ("ДОГОВОР ПОСТАВКИ", "koi8-r"),
        ("Ёжик", "koi8-r"),
        ("Да", "windows-1251"),
        ("ОК", "koi8-r"),
        ("«Вести»", "windows-1251"),
        ("••••• ————", "windows-1252"),
        ("naïve", "iso-8859-1"),
        ("Dzień dobry, proszę o ofertę", "windows-1250"),
        ("Γειά σας, ευχαριστώ", "iso-8859-7"),
        ("Teşekkürler, görüşürüz", "iso-8859-9"),
        ("请发送最新报价", "gb2312"),
        ("见积", "gbk"),
        ("お見積り", "shift_jis"),
        ("お見積り", "iso-2022-jp"),
        ("견적을 보내 주세요", "ks_c_5601-1987"),
        ("報價單", "big5"),
        ("Київ, вулиця Садова", "koi8-u"),
        ("Жду ответа", "utf-16"),
        ("Жду ответа", "utf-7"),
    ],
)
def test_a_right_label_is_never_repaired_away(text: str, label: str) -> None:
    codec = {"ks_c_5601-1987": "cp949", "gb2312": "gb18030"}.get(label, label)
    assert decode(text.encode(codec), label) == (text, codec_of(label), "")


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("win-1251", "cp1251"),
        ("windows1251", "cp1251"),
        ("CP-1251", "cp1251"),
        ("utf8", "utf_8"),
        ('"UTF-8"', "utf_8"),
        ("utf-8; format=flowed", "utf_8"),
        ("KOI8_R", "koi8_r"),
        ("cp-866", "cp866"),
        ("x-mac-cyrillic", "mac_cyrillic"),
        ("latin1", "cp1252"),
        ("iso-8859-8-i", "iso8859_8"),
        ("x-unknown", None),
        ("unknown-8bit", None),
        ("rot13", None),
        ("zlib", None),
        ("idna", None),
        ("", None),
    ],
)
def test_a_misspelt_label_is_understood_and_an_invented_one_is_not(label: str, codec: str | None) -> None:
    assert codec_of(label) == codec


def test_a_letter_with_a_few_broken_characters_stays_utf8() -> None:
    told = decode("Согласны с условиями договора".encode() + b"\xd0", "utf-8")
    assert told.text == "Согласны с условиями договора\ufffd"
    assert told.problem


def test_text_that_was_encoded_twice_is_read() -> None:
    assert decode("Привет, Анна".encode().decode("latin-1").encode(), "utf-8").text == "Привет, Анна"


def test_wide_text_without_a_label_is_read() -> None:
    assert decode("Ждём вас в среду".encode("utf-16-le")).text == "Ждём вас в среду"
    assert decode("See you on Wednesday".encode("utf-16-be")).text == "See you on Wednesday"
