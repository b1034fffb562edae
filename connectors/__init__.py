"""Every connector that dealscribe has: kind -> "module:Class", imported when it is first used."""

from importlib import import_module
from typing import Any

MAILBOXES = {
    "imap": "connectors.mail.imap:ImapMailbox",
    "maildir": "connectors.mail.maildir:MaildirMailbox",
    "gmail": "connectors.mail.gmail:GmailMailbox",
    "memory": "connectors.mail.memory:MemoryMailbox",
}
CALENDARS = {
    "ics": "connectors.calendars.ics:IcsCalendar",
    "caldav": "connectors.calendars.caldav:CaldavCalendar",
    "memory": "connectors.calendars.memory:MemoryCalendar",
}
CRMS = {
    "local": "connectors.crm.local:LocalCrm",
    "memory": "connectors.crm.memory:MemoryCrm",
}
KINDS = {"mailbox": MAILBOXES, "calendar": CALENDARS, "crm": CRMS}


def load(what: str, kind: str) -> Any:
    """The connector class of this kind; `what` is mailbox, calendar or crm. KeyError when there is none."""
    module, _, name = KINDS[what][kind].partition(":")
    return getattr(import_module(module), name)
