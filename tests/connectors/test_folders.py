"""Which folders are read, in the languages and shapes in which servers and mail programs make them."""

import pytest

from connectors.mail.folders import Folder, choose, decode_name, role


def folder(name: str, *flags: str, delimiter: str = "/") -> Folder:
    return Folder(name=name, flags=frozenset(flags), delimiter=delimiter)


@pytest.mark.parametrize(
    ("expected", "names"),
    [
        (
            "sent",
            "Sent|Sent Items|Sent Messages|Отправленные|Gesendet|Gesendete Elemente|Envoyés|Éléments envoyés|Enviados|"
            "Elementos enviados|Posta inviata|Inviata|Itens enviados|Verzonden items|Elementy wysłane|Wysłane|"
            "Надіслані|Відправлені|INBOX/Sent|[Gmail]/Отправленные|[Google Mail]/Sent Mail",
        ),
        (
            "drafts",
            "Drafts|Черновики|Entwürfe|Brouillons|Borradores|Bozze|Rascunhos|Concepten|Kopie robocze|Чернетки|"
            "INBOX/Drafts",
        ),
        (
            "junk",
            "Junk|Spam|Junk E-Mail|Bulk Mail|Спам|Нежелательная почта|Junk-E-Mail|Courrier indésirable|Indésirables|"
            "Correo no deseado|Posta indesiderata|Lixo eletrônico|Ongewenste e-mail|Wiadomości-śmieci|Небажана пошта",
        ),
        (
            "trash",
            "Trash|Deleted Items|Deleted Messages|Корзина|Удалённые|Papierkorb|Gelöschte Elemente|Corbeille|"
            "Éléments supprimés|Papelera|Elementos eliminados|Cestino|Posta eliminata|Lixeira|Itens excluídos|"
            "Prullenbak|Verwijderde items|Kosz|Elementy usunięte|Кошик|Видалені",
        ),
        ("", "Clients|Clients/Drafts|Projects/2026/Sent|Trash talk|Archive|Важное|Project X/Spam|Входящие клиенты"),
    ],
)
def test_special_folders_are_known_by_their_names_in_many_languages(expected: str, names: str) -> None:
    assert {name: role(folder(name)) for name in names.split("|")} == dict.fromkeys(names.split("|"), expected)
    assert {name: role(folder(name.upper())) for name in names.split("|")} == dict.fromkeys(names.split("|"), expected)


def test_a_name_with_its_accents_apart_is_the_same_name() -> None:
    assert role(folder("Entwu\u0308rfe")) == "drafts"


def test_the_servers_flag_counts_more_than_the_name() -> None:
    assert role(folder("Spam", "\\sent")) == "sent"
    assert role(folder("Whatever", "\\hasnochildren", "\\trash")) == "trash"


def test_a_server_that_keeps_everything_below_inbox_is_understood() -> None:
    listed = [
        folder(name, delimiter=".")
        for name in ("INBOX", "INBOX.Sent", "INBOX.Trash", "INBOX.Trash.2025", "INBOX.Clients", "INBOX.Clients.North")
    ]
    choice = choose(listed, wanted=None, sent=None, excluded=["clients/north"])
    assert [found.name for found in choice.read] == ["INBOX", "INBOX.Sent", "INBOX.Clients"]
    assert choice.sent == {"INBOX.Sent"}
    assert choice.left_out == {
        "INBOX.Trash": "trash",
        "INBOX.Trash.2025": "trash",
        "INBOX.Clients.North": "excluded in config.toml",
    }
    by_name = choose(listed, wanted=["Sent", "INBOX.Clients"], sent=["Clients"], excluded=[])
    assert [found.name for found in by_name.read] == ["INBOX.Clients", "INBOX.Sent"]
    assert by_name.sent == {"INBOX.Clients"}


def test_excluding_the_inbox_excludes_only_the_inbox() -> None:
    listed = [folder("INBOX", delimiter="."), folder("INBOX.Clients", delimiter=".")]
    assert [f.name for f in choose(listed, wanted=None, sent=None, excluded=["inbox"]).read] == ["INBOX.Clients"]


def test_views_of_other_folders_are_not_read_twice() -> None:
    listed = [
        folder("INBOX"),
        folder("[Gmail]", "\\noselect"),
        folder("[Gmail]/All Mail", "\\all"),
        folder("[Gmail]/Starred", "\\flagged"),
        folder("[Gmail]/Important", "\\important"),
        folder("[Gmail]/Sent Mail", "\\sent"),
        folder("[Gmail]/Bin", "\\trash"),
    ]
    choice = choose(listed, wanted=None, sent=None, excluded=[])
    assert [found.name for found in choice.read] == ["INBOX", "[Gmail]/Sent Mail"]


def test_a_folder_the_admin_names_is_read_even_if_it_is_the_junk_folder() -> None:
    choice = choose([folder("INBOX"), folder("Junk", "\\junk")], wanted=["JUNK", "Gone"], sent=None, excluded=[])
    assert [found.name for found in choice.read] == ["Junk"]
    assert choice.missing == ("Gone",)


@pytest.mark.parametrize(
    ("wire", "name"),
    [
        (b"INBOX", "INBOX"),
        (b"&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-", "Отправленные"),
        (b"R&-D", "R&D"),
        (b"R&D", r"R\x26D"),
        (b"&", r"\x26"),
        (b"&2AA-", r"\x262AA-"),  # half of a surrogate pair
        (b"a\xffb", r"a\xffb"),
        (b"line\nbreak", r"line\x0abreak"),
    ],
)
def test_a_name_in_broken_encoding_is_still_a_name(wire: bytes, name: str) -> None:
    assert decode_name(wire) == name
