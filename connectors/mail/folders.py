"""Which folders of a mailbox are read, and which of them hold sent mail; pure.

Servers mark special folders with flags (RFC 6154). Where a flag is missing, the name tells, in the languages in which
mail programs make such folders. Only a folder at the top is known by its name: "Clients/Drafts" may well be about
drafts of contracts.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from imapclient.imap_utf7 import decode as _utf7_decode
from imapclient.imap_utf7 import encode as _utf7_encode

from connectors.base import Finding

Role = Literal["", "inbox", "sent", "drafts", "junk", "trash", "all", "flagged"]

_FLAGS: dict[str, Role] = {
    "\\sent": "sent",
    "\\drafts": "drafts",
    "\\junk": "junk",
    "\\spam": "junk",  # before RFC 6154
    "\\trash": "trash",
    "\\all": "all",
    "\\allmail": "all",
    "\\flagged": "flagged",
    "\\starred": "flagged",
    "\\important": "flagged",
}
_NOT_SELECTABLE = frozenset({"\\noselect", "\\nonexistent"})

# fmt: off
_NAMES: dict[Role, tuple[str, ...]] = {
    "inbox": ("inbox",),
    "sent": (
        "sent", "sent items", "sent mail", "sent messages", "sent-mail", "sent_mail", "outbox sent",
        "отправленные", "отправленные письма", "отправленная почта", "исходящие письма",  # ru
        "надіслані", "надіслані листи", "відправлені", "відправлені листи",  # uk
        "gesendet", "gesendete objekte", "gesendete elemente", "gesendete nachrichten", "gesendete mails",  # de
        "postausgang gesendet",
        "envoyés", "éléments envoyés", "messages envoyés", "courrier envoyé", "envoyé",  # fr
        "enviados", "elementos enviados", "mensajes enviados", "correo enviado", "correos enviados",  # es
        "itens enviados", "mensagens enviadas", "enviadas", "e-mails enviados", "correio enviado",  # pt
        "inviata", "posta inviata", "inviati", "elementi inviati", "messaggi inviati",  # it
        "verzonden", "verzonden items", "verzonden berichten", "verstuurd",  # nl
        "wysłane", "elementy wysłane", "wysłane elementy", "wiadomości wysłane", "poczta wysłana",  # pl
        "odeslané", "odeslaná pošta", "odoslané", "skickat", "skickade", "sendt", "sendte elementer",  # cs sk sv da no
        "lähetetyt", "elküldött", "elküldött elemek", "trimise", "gönderilmiş öğeler", "gönderilmiş postalar",
        "адпраўленыя", "изпратени", "жіберілген", "送信済み", "送信済みアイテム", "已发送", "已发送邮件",
        "已傳送", "寄件備份",
    ),
    "drafts": (
        "drafts", "draft", "draft messages",
        "черновики", "черновик", "чернетки",
        "entwürfe", "entwurf", "brouillons", "borradores", "borrador", "rascunhos", "rascunho", "bozze",
        "concepten", "kopie robocze", "szkice", "wersje robocze", "robocze",
        "koncepty", "rozepsané", "utkast", "kladder", "luonnokset", "piszkozatok", "schițe", "taslaklar",
        "чарнавікі", "чернови", "下書き", "草稿", "草稿箱",
    ),
    "junk": (
        "junk", "junk e-mail", "junk email", "junk mail", "spam", "bulk mail", "bulk", "quarantine",
        "спам", "нежелательная почта", "небажана пошта", "сумнівні листи",
        "junk-e-mail", "spamverdacht", "unerwünscht", "unerwünschte werbung", "werbung",
        "indésirables", "courrier indésirable", "pourriel", "pourriels",
        "correo no deseado", "correo basura", "no deseado", "lixo eletrônico", "lixo eletrónico",
        "correio não solicitado",
        "posta indesiderata", "indesiderata", "ongewenst", "ongewenste e-mail", "ongewenste berichten",
        "wiadomości-śmieci", "wiadomości śmieci", "niechciane", "nevyžádaná pošta", "skräppost", "søppelpost",
        "uønsket",
        "roskaposti", "levélszemét", "gereksiz", "нежелана поща", "迷惑メール", "垃圾邮件", "垃圾郵件",
    ),
    "trash": (
        "trash", "deleted", "deleted items", "deleted messages", "bin", "wastebasket", "rubbish",
        "корзина", "удаленные", "удалённые", "удаленная почта", "удаленные письма", "кошик",
        "видалені", "видалені листи",
        "papierkorb", "gelöscht", "gelöschte objekte", "gelöschte elemente", "gelöschte nachrichten",
        "corbeille", "éléments supprimés", "messages supprimés", "supprimés",
        "papelera", "elementos eliminados", "mensajes eliminados", "eliminados",
        "lixeira", "lixo", "itens excluídos", "itens eliminados", "mensagens eliminadas",
        "cestino", "posta eliminata", "elementi eliminati", "eliminata",
        "prullenbak", "prullenmand", "verwijderd", "verwijderde items", "verwijderde berichten",
        "kosz", "elementy usunięte", "usunięte", "koš", "odstraněná pošta", "papperskorgen", "papirkurv",
        "slettede elementer",
        "roskakori", "törölt elemek", "lomtár", "çöp kutusu", "silinmiş öğeler", "сметніца", "кошче",
        "ゴミ箱", "已删除", "已删除邮件", "垃圾桶",
    ),
}
# fmt: on
_ROLE_OF_NAME = {unicodedata.normalize("NFC", name): role for role, names in _NAMES.items() for name in names}
_ROOTS = frozenset({"inbox", "[gmail]", "[google mail]"})  # what stands below these stands at the top
_NOT_READ: dict[Role, str] = {
    "drafts": "drafts",
    "junk": "junk",
    "trash": "trash",
    "all": "a view of all mail, which the other folders hold",
    "flagged": "a view of marked mail, which the other folders hold",
}


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """One folder as its server lists it."""

    name: str  # decoded, with the server's own delimiter
    wire: bytes = b""  # as the server writes it
    delimiter: str = "/"
    flags: frozenset[str] = frozenset()  # lower case

    @property
    def selectable(self) -> bool:
        return not self.flags & _NOT_SELECTABLE

    @property
    def path(self) -> tuple[str, ...]:
        """The name's steps, ready to be compared."""
        return _path(self.name, self.delimiter)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What is read and why the rest is not."""

    read: tuple[Folder, ...]  # INBOX first, then sent mail, then by name
    sent: frozenset[str] = frozenset()  # names, of those that are read
    left_out: dict[str, str] = {}  # name -> why
    missing: tuple[str, ...] = ()  # asked for in config.toml, not found


def decode_name(wire: bytes) -> str:
    """A folder's name out of modified UTF-7. A broken one keeps its bytes, told apart from others."""
    try:
        name = _utf7_decode(wire)
        name.encode("utf-8")  # half a surrogate pair is no name
        if wire.isascii() and _utf7_encode(name) == wire and name.isprintable():
            return str(name)
    except (UnicodeError, ValueError):
        pass
    return "".join(chr(byte) if 0x20 <= byte < 0x7F and byte != 0x26 else f"\\x{byte:02x}" for byte in wire)


def role(folder: Folder) -> Role:
    """What a folder is for, by its flags, else by its name."""
    for flag in sorted(folder.flags):
        if flag in _FLAGS:
            return _FLAGS[flag]
    return _role_of_path(folder.path)


def _role_of_path(path: tuple[str, ...]) -> Role:
    if len(path) == 2 and path[0] in _ROOTS:
        path = path[1:]
    return _ROLE_OF_NAME.get(path[0], "") if len(path) == 1 else ""


def choose(
    folders: Sequence[Folder],
    *,
    wanted: Sequence[str] | None,
    sent: Sequence[str] | None,
    excluded: Iterable[str],
) -> Choice:
    """Decide which folders are read and which hold sent mail. A special folder takes what is below it along."""
    roles = {folder.path: role(folder) for folder in folders}
    read: list[tuple[int, str, Folder]] = []
    sent_names: set[str] = set()
    left_out: dict[str, str] = {}
    for folder in folders:
        if not folder.selectable:
            continue
        inherited = _inherited(folder.path, roles)
        why = _why_not(folder, inherited, wanted, excluded)
        if why:
            left_out[folder.name] = why
            continue
        is_sent = inherited == "sent" if sent is None else _named(folder, sent)
        if is_sent:
            sent_names.add(folder.name)
        read.append((0 if folder.path == ("inbox",) else 1 if is_sent else 2, folder.name, folder))
    selectable = [folder for folder in folders if folder.selectable]
    asked = [*(wanted or ()), *(sent or ())]
    return Choice(
        read=tuple(folder for _, _, folder in sorted(read, key=lambda entry: entry[:2])),
        sent=frozenset(sent_names),
        left_out=left_out,
        missing=tuple(dict.fromkeys(name for name in asked if not any(_named(f, [name]) for f in selectable))),
    )


def _why_not(folder: Folder, inherited: Role, wanted: Sequence[str] | None, excluded: Iterable[str]) -> str:
    if _below(folder, excluded):
        return "excluded in config.toml"
    if wanted is not None:
        return "" if _named(folder, wanted) else "not among the folders of config.toml"
    return _NOT_READ.get(inherited, "")


def _inherited(path: tuple[str, ...], roles: dict[tuple[str, ...], Role]) -> Role:
    for length in range(len(path), 0, -1):
        found = roles.get(path[:length], _role_of_path(path[:length]))  # the one above may not be listed
        if found and (length == len(path) or found != "inbox"):
            return found
    return ""


def _named(folder: Folder, names: Iterable[str]) -> bool:
    mine = _spellings(folder)
    return any(_path(name, folder.delimiter) in mine or _path(name, "/") in mine for name in names)


def _below(folder: Folder, names: Iterable[str]) -> bool:
    """Is it one of these folders, or below one? All of a mailbox may stand below INBOX, which takes nothing along."""
    for name in names:
        for wanted in {_path(name, folder.delimiter), _path(name, "/")}:
            depth = len(folder.path) if wanted == ("inbox",) else len(wanted)
            if any(spelling[:depth] == wanted for spelling in _spellings(folder)):
                return True
    return False


def _spellings(folder: Folder) -> set[tuple[str, ...]]:
    """A server that keeps everything below INBOX calls "Sent" "INBOX.Sent"; both are understood."""
    path = folder.path
    return {path, path[1:]} if len(path) > 1 and path[0] in _ROOTS else {path}


def _path(name: str, delimiter: str) -> tuple[str, ...]:
    folded = unicodedata.normalize("NFC", name.casefold())
    return tuple(folded.split(delimiter)) if delimiter else (folded,)


def told(choice: Choice) -> list[Finding]:
    """What `check` says of the choice."""
    names = [folder.name for folder in choice.read]
    findings = [
        Finding(level="ok" if names else "problem", text=f"folders that are read: {', '.join(names) or 'none'}")
    ]
    if choice.sent:
        findings.append(Finding(level="ok", text=f"folders of sent mail: {', '.join(sorted(choice.sent))}"))
    else:
        suggest = 'sent_folders = ["Sent"]'
        findings.append(Finding(level="problem", text="no folder of sent mail was found", suggest=suggest))
    left_out = choice.left_out.items()
    findings += [Finding(level="note", text=f"folder {name} is left out: {why}") for name, why in left_out]
    return findings + [Finding(level="problem", text=f"there is no folder {name}") for name in choice.missing]
