"""config.toml: what is accepted, how a mistake is told, and that every key is explained."""

import os
import re
import shutil
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import Config, describe_keys, find, load, parse_duration, parse_since
from agent.config.lines import KeyPath, key_lines
from agent.errors import ConfigError

ROOT = Path(__file__).parent.parent
NOW = datetime(2026, 6, 12, 9, tzinfo=UTC)

OURS = '[organization]\ndomains = ["ours.example"]\n'
IMAP = """
[[mailbox]]
name = "anna"
owner = "anna@ours.example"
kind = "imap"
host = "imap.ours.example"
user = "anna"
password = { env = "ANNA_PASSWORD" }
"""
MAILDIR = """
[[mailbox]]
name = "{name}"
owner = "anna@ours.example"
kind = "maildir"
path = "mail/{name}"
"""
ICS = """
[[calendar]]
name = "{name}"
owner = "anna@ours.example"
kind = "ics"
path = "{name}.ics"
"""
PIPELINE = """
[[pipeline]]
name = "New business"
[[pipeline.stage]]
name = "lead"
result = "We know of them."
"""


class Folder:
    """A folder with a config.toml, and the environment in which it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.env = {"HOME": str(path / "home")}

    def load(self, text: str) -> Config:
        file = self.path / "config.toml"
        file.write_text(text, encoding="utf-8")
        return load(file, self.env, NOW)

    def problems(self, text: str) -> list[str]:
        """What is told, without the file's name: '3: organization, ...'"""
        with pytest.raises(ConfigError) as caught:
            self.load(text)
        start = f"{self.path / 'config.toml'}:"
        assert all(problem.startswith(start) for problem in caught.value.problems)
        return [problem.removeprefix(start).strip() for problem in caught.value.problems]

    def notes(self, text: str) -> list[str]:
        return [note.removeprefix(f"{self.path / 'config.toml'}:").strip() for note in self.load(text).warnings]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def only(problems: list[str]) -> str:
    assert len(problems) == 1, problems
    return problems[0]


# -- what a good file gives -----------------------------------------------------------------------------------------


def test_our_domains_are_all_that_must_be_said(folder: Folder) -> None:
    config = folder.load(OURS)
    assert config.organization.domains == ("ours.example",)
    assert config.crm.kind == "local"
    assert config.crm.write == {"activities", "objections", "stages", "records", "handoffs"}
    assert config.exclude.labels == ("no-crm",)
    assert config.exclude.private_events
    assert config.retention.text == timedelta(days=3 * 365)
    assert config.sources == ()


def test_the_sample_company_is_read_as_it_stands() -> None:
    config = load(ROOT / "config.toml", {}, NOW)
    assert [source.name for source in config.sources] == ["ellen", "timur", "ellen-calendar", "timur-calendar"]
    assert [pipeline.name for pipeline in config.pipelines] == ["New business", "Service plans"]
    assert config.warnings == ()
    for source in config.sources:
        assert Path(source.options.path).exists()  # type: ignore[attr-defined]


def test_both_pipelines_of_the_sample_have_the_same_stages() -> None:
    first, second = load(ROOT / "config.toml", {}, NOW).pipelines
    assert first.stages == second.stages
    kinds = {stage.name: stage.kind for stage in first.stages if stage.kind != "open"}
    assert kinds == {"won": "won", "lost": "lost", "on_hold": "hold"}


def test_a_mailbox_is_asked_every_minute_and_a_calendar_every_five(folder: Folder) -> None:
    config = folder.load(OURS + MAILDIR.format(name="anna") + ICS.format(name="calendar"))
    assert config.mailboxes[0].poll == timedelta(minutes=1)
    assert config.calendars[0].poll == timedelta(minutes=5)


def test_the_first_import_goes_ninety_days_back_unless_told_otherwise(folder: Folder) -> None:
    config = folder.load(OURS + MAILDIR.format(name="a") + MAILDIR.format(name="b") + 'since = "2026-01-01"\n')
    assert config.mailboxes[0].start(NOW) == NOW - timedelta(days=90)
    assert config.mailboxes[1].start(NOW) == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_day_may_be_written_without_quotes(folder: Folder) -> None:
    config = folder.load(OURS + MAILDIR.format(name="a") + "since = 2026-01-01\n")
    assert config.mailboxes[0].start(NOW) == datetime(2026, 1, 1, tzinfo=UTC)


def test_an_owner_may_be_a_reps_id_from_the_crm(folder: Folder) -> None:
    config = folder.load(OURS + MAILDIR.format(name="a").replace("anna@ours.example", "r-17"))
    assert config.mailboxes[0].owner == "r-17"


def test_addresses_and_domains_are_compared_without_case(folder: Folder) -> None:
    config = folder.load(
        '[organization]\ndomains = ["Ours.Example"]\n[exclude]\naddresses = ["Sister@Home.Example"]\n'
        + MAILDIR.format(name="a").replace("anna@", "Anna@")
    )
    assert config.organization.domains == ("ours.example",)
    assert config.exclude.addresses == ("sister@home.example",)
    assert config.mailboxes[0].owner == "anna@ours.example"


def test_a_cyrillic_domain_is_a_domain(folder: Folder) -> None:
    assert folder.load('[organization]\ndomains = ["наша-фирма.example"]\n').organization.domains == (
        "наша-фирма.example",
    )


def test_texts_may_be_kept_forever(folder: Folder) -> None:
    assert folder.load(OURS + '[retention]\ntext = "forever"\n').retention.text is None


def test_a_file_saved_on_windows_is_read(folder: Folder) -> None:
    file = folder.path / "config.toml"
    file.write_bytes(b"\xef\xbb\xbf" + OURS.replace("\n", "\r\n").encode())
    assert load(file, folder.env, NOW).organization.domains == ("ours.example",)


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        ('name = "won"', "won"),
        ('name = "Выиграна"', "won"),
        ('name = "paid"\nreached_by = ["payment_confirmed"]', "won"),
        ('name = "refused"\nreached_by = ["lost"]', "lost"),
        ('name = "Closed-Lost"', "lost"),
        ('name = "parked"\nreached_by = ["postponed"]', "hold"),
        ('name = "on_hold"', "hold"),
        ('name = "done"\nkind = "won"', "won"),
        ('name = "won"\nkind = "open"', "open"),
        ('name = "proposal"\nreached_by = ["proposal_sent"]', "open"),
    ],
)
def test_a_stage_is_won_lost_or_on_hold_by_its_name_or_milestones(folder: Folder, stage: str, kind: str) -> None:
    config = folder.load(OURS + f'[[pipeline]]\nname = "p"\n[[pipeline.stage]]\n{stage}\n')
    assert config.pipelines[0].stages[0].kind == kind


def test_a_paid_deal_is_not_won_yet_where_another_stage_is_called_won(folder: Folder) -> None:
    stages = '[[pipeline.stage]]\nname = "paid"\nreached_by = ["payment_confirmed"]\n[[pipeline.stage]]\nname = "won"\n'
    config = folder.load(OURS + '[[pipeline]]\nname = "p"\n' + stages)
    assert [stage.kind for stage in config.pipelines[0].stages] == ["open", "won"]


def test_a_pipeline_says_how_far_it_goes_and_what_it_takes(folder: Folder) -> None:
    pipeline = PIPELINE.replace(
        'name = "New business"',
        'name = "New business"\nmode = "auto"\nterminal = "auto"\ncreate_deals = "off"\n'
        'takes = { owners = ["Anna@ours.example"], words = ["plan"], sources = ["anna"] }',
    )
    config = folder.load(OURS + MAILDIR.format(name="anna") + pipeline)
    taken = config.pipelines[0]
    assert (taken.mode, taken.terminal, taken.create_deals) == ("auto", "auto", "off")
    assert (taken.takes.owners, taken.takes.words, taken.takes.sources) == (
        ("anna@ours.example",),
        ("plan",),
        ("anna",),
    )


# -- where things are -----------------------------------------------------------------------------------------------


def test_relative_paths_count_from_the_files_folder(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    secret = folder.path / "anna.password"
    secret.write_text("made-up")
    secret.chmod(0o600)
    imap = IMAP.replace('{ env = "ANNA_PASSWORD" }', '{ file = "anna.password" }') + 'ca_file = "ca.pem"\n'
    config = folder.load(OURS + imap + MAILDIR.format(name="b") + ICS.format(name="c"))
    anna, maildir = (source.options for source in config.mailboxes)
    assert str(anna.ca_file) == str(folder.path / "ca.pem")  # type: ignore[attr-defined]
    assert anna.password.resolve() == "made-up"  # type: ignore[attr-defined]
    assert str(maildir.path) == str(folder.path / "mail/b")  # type: ignore[attr-defined]
    assert str(config.calendars[0].options.path) == str(folder.path / "c.ics")  # type: ignore[attr-defined]


def test_the_store_lies_beside_the_file(folder: Folder) -> None:
    config = folder.load(OURS)
    assert config.store.url == f"sqlite:///{folder.path}/dealscribe.db"
    assert config.state == folder.path


def test_under_systemd_the_store_lies_in_the_services_state_folder(folder: Folder) -> None:
    folder.env["STATE_DIRECTORY"] = "/var/lib/dealscribe"
    assert folder.load(OURS).store.url == "sqlite:////var/lib/dealscribe/dealscribe.db"


def test_where_the_files_folder_cannot_be_written_the_store_lies_in_the_users_own(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    assert folder.load(OURS).state == folder.path / "home/.local/state/dealscribe"
    folder.env["XDG_STATE_HOME"] = "/srv/state"
    assert folder.load(OURS).store.url == "sqlite:////srv/state/dealscribe/dealscribe.db"


@pytest.mark.parametrize("url", ["sqlite:////srv/a.db", "postgresql+psycopg://dealscribe@db.ours.example/dealscribe"])
def test_a_store_with_a_full_address_stays_where_it_is(folder: Folder, url: str) -> None:
    folder.env["STATE_DIRECTORY"] = "/var/lib/dealscribe"
    assert folder.load(OURS + f'[store]\nurl = "{url}"\n').store.url == url


def test_the_file_is_looked_for_in_the_usual_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, xdg, named = tmp_path / "here", tmp_path / "xdg/dealscribe", tmp_path / "named.toml"
    for place in (here, xdg):
        place.mkdir(parents=True)
    monkeypatch.chdir(here)
    env = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    (xdg / "config.toml").write_text(OURS)
    assert find(None, env) == xdg / "config.toml"
    (here / "config.toml").write_text(OURS)
    assert find(None, env) == here / "config.toml"
    assert find(None, env | {"DEALSCRIBE_CONFIG": str(named)}) == named
    assert find(tmp_path / "given.toml", env | {"DEALSCRIBE_CONFIG": str(named)}) == tmp_path / "given.toml"


def test_without_a_file_all_places_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="write one") as caught:
        load(None, {"HOME": str(tmp_path)})
    assert str(tmp_path / ".config/dealscribe/config.toml") in caught.value.problems[0]
    assert "/etc/dealscribe/config.toml" in caught.value.problems[0]


def test_a_file_that_was_named_and_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml cannot be read"):
        load(tmp_path / "absent.toml", {})


# -- how a mistake is told ------------------------------------------------------------------------------------------


def test_all_mistakes_are_told_at_once_each_with_its_line_and_fix(folder: Folder) -> None:
    text = """[organisation]
domains = ["ours.example"]
[organization]
domains = [
  "ours.example",
  "https://ours.example/",
]
[[mailbox]]
name = "anna"
owner = "anna@ours.example"
kind = "imap"
hots = "imap.ours.example"
user = "anna"
password = { envv = "ANNA_PASSWORD" }
[[mailbox]]
name = "anna"
owner = "anna at ours"
kind = "maildirr"
poll = "-5m"
[[pipeline]]
name = "New business"
mode = "automatic"
[[pipeline.stage]]
name = "proposal"
reached_by = ["proposal_sent",
              "proposal_send"]
[exclude]
private_events = "maybe"
"""
    told = folder.problems(text)
    expected = [
        (1, "organisation", 'did you mean "organization"?'),
        (6, "organization, domains[2]", "without @, https:// or a path"),
        (8, 'mailbox "anna", host', "is missing"),
        (12, 'mailbox "anna", hots', 'did you mean "host"?'),
        (14, 'mailbox "anna", password, envv', 'did you mean "env"?'),
        (16, 'mailbox "anna", name', "is taken already in line 9"),
        (17, 'mailbox "anna", owner', "must be the rep's address"),
        (18, 'mailbox "anna", kind', 'did you mean "maildir"?'),
        (19, 'mailbox "anna", poll', "must be more than zero"),
        (22, 'pipeline "New business", mode', "must be 'auto' or 'propose'"),
        (26, 'pipeline "New business", stage "proposal", reached_by[2]', 'did you mean "proposal_sent"?'),
        (28, "exclude, private_events", "must be true or false"),
    ]
    assert len(told) == len(expected), told
    for problem, (line, key, fix) in zip(told, expected, strict=True):
        assert problem.startswith(f"{line}: {key}: ")
        assert fix in problem


def test_a_key_like_no_other_is_answered_with_those_that_there_are(folder: Folder) -> None:
    assert only(folder.problems(OURS + 'colour = "red"\n')).endswith(
        "unknown key; known are: domains, authserv_ids, dkim_keys"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [("[organization\n", 1), ('\n\ndomains = "ours\n', 3), ("a = 1\na = 2\n", 2), ("[a]\nb = [1,\n", None)],
)
def test_a_line_that_is_no_toml_is_named(folder: Folder, text: str, line: int | None) -> None:
    problem = only(folder.problems(text))
    assert "is not TOML" in problem
    assert problem.startswith(f"{line}:" if line else "at the end:")


def test_a_file_in_another_encoding_is_told_with_its_line(folder: Folder) -> None:
    file = folder.path / "config.toml"
    file.write_bytes(OURS.encode() + "# наша фирма".encode("cp1251"))
    with pytest.raises(ConfigError, match=r"config\.toml:3: is not UTF-8"):
        load(file, folder.env)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("domains = []", "must not be empty"),
        ("", "must not be empty"),
        ('domains = ["anna@ours.example"]', "must be a bare domain"),
        ('domains = ["https://ours.example"]', "must be a bare domain"),
        ('domains = ["*.ours.example"]', "subdomains belong"),
        ('domains = ["ours"]', "is no domain"),
        ('domains = "ours.example"', "must be a list"),
        ("domains = [1]", "must be a text"),
    ],
)
def test_our_domains_must_be_domains(folder: Folder, table: str, told: str) -> None:
    assert told in only(folder.problems(f"[organization]\n{table}\n"))


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ('poll = "0s"', "more than zero"),
        ('poll = "-1m"', "more than zero"),
        ("poll = 60", "a number and a unit"),
        ('poll = "often"', "a number and a unit"),
        ('since = "2026-06-13"', "in the future"),
        ('since = "last year"', "a span or a day"),
        ('since = "999999999y"', "200 years"),
    ],
)
def test_spans_and_days_must_make_sense(folder: Folder, key: str, told: str) -> None:
    problem = only(folder.problems(OURS + MAILDIR.format(name="a") + key))
    assert problem.startswith(f'9: mailbox "a", {key.split()[0]}: ')
    assert told in problem


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("[mailbox]\nname = 'a'\n", "write [[mailbox]] with double brackets"),
        ("mailbox = 1\n", "write [[mailbox]]"),
        ("[[crm]]\nkind = 'local'\n", "[crm] with single brackets"),
        ("[[store]]\n", "must be a table"),
        ("[[pipeline]]\nname = 'p'\n[pipeline.stage]\nname = 's'\n", "double brackets"),
        ("[[pipeline]]\nname = 'p'\n", "has no stages"),
    ],
)
def test_brackets_that_were_mixed_up_are_told(folder: Folder, wrong: str, told: str) -> None:
    before = wrong if wrong.startswith("mailbox") else ""
    assert told in only(folder.problems(before + OURS + ("" if before else wrong)))


def test_a_mailbox_without_a_kind_is_told_the_kinds(folder: Folder) -> None:
    problem = only(folder.problems(OURS + '[[mailbox]]\nname = "a"\nowner = "a@ours.example"\n'))
    assert "kind: is missing; known are: imap, maildir, gmail" in problem
    assert "memory" not in problem


def test_a_server_must_have_a_name_and_a_port_that_exists(folder: Folder) -> None:
    told = folder.problems(OURS + IMAP.replace('"imap.ours.example"', '""') + "port = 70000\n")
    assert told[0] == '8: mailbox "anna", host: must not be empty'
    assert told[1].startswith('11: mailbox "anna", port: must be ')
    assert "65535" in told[1]


def test_a_stage_or_pipeline_cannot_be_there_twice(folder: Folder) -> None:
    stage = '[[pipeline.stage]]\nname = "lead"\n'
    told = folder.problems(OURS + PIPELINE + stage + PIPELINE)
    assert told == [
        '10: pipeline "New business", stage "lead", name: is taken already in line 7; choose another name',
        '13: pipeline "New business", name: is taken already in line 5; choose another name',
    ]


def test_a_pipeline_takes_only_from_sources_that_there_are(folder: Folder) -> None:
    takes = PIPELINE.replace('name = "New business"', 'name = "New business"\ntakes = { sources = ["ana"] }')
    assert 'did you mean "anna"?' in only(folder.problems(OURS + MAILDIR.format(name="anna") + takes))


def test_a_calendar_without_a_path_and_without_a_url_is_told_at_its_table(folder: Folder) -> None:
    problem = only(folder.problems(OURS + ICS.format(name="c").replace('path = "c.ics"\n', "")))
    assert problem.startswith('4: calendar "c": ')


@pytest.mark.parametrize("url", ["mysql://x/y", "dealscribe.db", "sqlite://dealscribe.db"])
def test_a_store_must_be_sqlite_or_postgresql(folder: Folder, url: str) -> None:
    assert only(folder.problems(OURS + f'[store]\nurl = "{url}"\n')).startswith("4: store, url: ")


# -- what is private ------------------------------------------------------------------------------------------------


def test_a_plain_password_is_refused_and_not_repeated(folder: Folder) -> None:
    problem = only(folder.problems(OURS + IMAP.replace('{ env = "ANNA_PASSWORD" }', '"correct-horse"')))
    assert problem.startswith('10: mailbox "anna", password: a plain secret is refused')
    assert "correct-horse" not in problem


@pytest.mark.parametrize(
    "query", ["://dealscribe:correct-horse@db.example/d", "://db.example/d?password=correct-horse"]
)
def test_a_password_in_the_stores_address_is_refused_and_not_repeated(folder: Folder, query: str) -> None:
    problem = only(folder.problems(OURS + f'[store]\nurl = "postgresql+psycopg{query}"\n'))
    assert "~/.pgpass" in problem
    assert "correct-horse" not in problem


def test_no_value_is_repeated_wherever_it_was_put(folder: Folder) -> None:
    wrong = (
        OURS + IMAP + 'poll = "correct-horse"\nsince = "correct-horse"\ntls = "correct-horse"\nport = "correct-horse"\n'
    )
    wrong += '[exclude]\naddresses = ["correct-horse"]\ndomains = ["correct-horse@x"]\nlabels = "correct-horse"\n'
    told = folder.problems(wrong.replace('owner = "anna@ours.example"', 'owner = "correct horse"'))
    assert len(told) == 8
    assert not re.search("correct.horse", "\n".join(told))


def test_a_secret_file_that_others_can_read_is_refused_with_the_command_that_helps(folder: Folder) -> None:
    secret = folder.path / "anna.password"
    secret.write_text("correct-horse")
    secret.chmod(0o640)
    problem = only(folder.problems(OURS + IMAP.replace('env = "ANNA_PASSWORD"', 'file = "anna.password"')))
    assert problem.startswith('10: mailbox "anna", password: ')
    assert problem.endswith(f"chmod 600 {secret}")


def test_a_secret_file_that_is_not_there_yet_stops_only_its_own_mailbox(folder: Folder) -> None:
    notes = folder.notes(OURS + IMAP.replace('env = "ANNA_PASSWORD"', 'file = "anna.password"') + PIPELINE)
    assert only(notes).startswith('10: mailbox "anna", password: the secret file ')


def test_a_credential_that_the_service_was_not_given_is_noted(folder: Folder) -> None:
    folder.env["CREDENTIALS_DIRECTORY"] = str(folder.path)
    text = OURS + IMAP.replace('env = "ANNA_PASSWORD"', 'credential = "anna"') + PIPELINE
    assert "LoadCredential=anna:" in only(folder.notes(text))
    (folder.path / "anna").write_text("made-up")
    assert folder.notes(text) == []


def test_a_password_goes_over_the_network_only_encrypted(folder: Folder) -> None:
    problem = only(folder.problems(OURS + IMAP + 'tls = "none"\n'))
    assert problem.startswith('11: mailbox "anna", tls: ')
    for host in ("localhost", "127.0.0.1", "::1"):
        folder.load(OURS + IMAP.replace("imap.ours.example", host) + 'tls = "none"\n')


# -- what is allowed and yet probably not meant ---------------------------------------------------------------------


def test_a_stage_without_a_result_is_noted(folder: Folder) -> None:
    stages = PIPELINE + '[[pipeline.stage]]\nname = "contact"\n'
    note = only(folder.notes(OURS + MAILDIR.format(name="a") + stages))
    assert note.startswith('15: pipeline "New business", stage "contact": has no result')


def test_an_owner_from_elsewhere_is_noted_and_not_repeated(folder: Folder) -> None:
    mailbox = MAILDIR.format(name="a").replace("anna@ours.example", "anna@elsewhere.example")
    assert only(folder.notes(OURS + mailbox + PIPELINE)).startswith('6: mailbox "a", owner: is in none of our domains')


def test_an_owner_in_a_subdomain_of_ours_is_one_of_us(folder: Folder) -> None:
    mailbox = MAILDIR.format(name="a").replace("anna@ours.example", "anna@berlin.ours.example")
    assert folder.notes(OURS + mailbox + PIPELINE) == []


def test_a_file_that_reads_nothing_and_moves_nothing_says_so(folder: Folder) -> None:
    notes = folder.notes(OURS)
    assert notes[0].startswith("nothing is read yet")
    assert notes[1].startswith("no deal is ever moved")


def test_a_calendar_that_is_named_like_a_mailbox_gets_a_name_of_its_own(folder: Folder) -> None:
    config = folder.load(OURS + MAILDIR.format(name="anna") + ICS.format(name="anna") + PIPELINE)
    assert [source.name for source in config.sources] == ["anna", "anna-calendar"]
    assert '"anna-calendar"' in only(list(config.warnings))


def test_a_calendars_own_name_is_not_taken_from_another_one(folder: Folder) -> None:
    calendars = ICS.format(name="anna") + ICS.format(name="anna-calendar")
    assert "choose another name" in only(folder.problems(OURS + MAILDIR.format(name="anna") + calendars))


# -- the reader: a house's own model and phrases -----------------------------------------------------------------------


def test_the_houses_own_heads_lie_beside_the_store(folder: Folder) -> None:
    assert folder.load(OURS).reader.model == str(folder.path / "reader-model")
    folder.env["STATE_DIRECTORY"] = "/var/lib/dealscribe"
    assert folder.load(OURS).reader.model == "/var/lib/dealscribe/reader-model"
    assert folder.load(OURS + '[reader]\nmodel = "/srv/heads"\n').reader.model == "/srv/heads"


def test_the_manual_of_phrases_can_be_used_as_it_stands_and_in_a_folder_beside_others(folder: Folder) -> None:
    own = folder.path / "phrases"
    own.mkdir()
    shutil.copy(ROOT / "examples" / "phrases.toml", own)
    (own / "more.toml").write_text('[words.en]\noffer = "sums"\n', encoding="utf-8")
    english, russian = folder.load(OURS + '[reader]\nphrases = "phrases"\n').reader.phrases
    assert [rule.id for rule in english.rules] == [
        "house/en/milestone/contract_signed/1",
        "house/en/objection/haulage/3",
    ]
    assert [rule.name for rule in russian.rules] == ["contract_signed", "price"]
    assert dict(english.words)["offer"] == "sums, cost sheet, cost sheets"


WRONG_PHRASES = """[[rule]]
language = "en"
kind = "milestone"
name = "contract_sined"
phrases = \"\"\"
our seal
(our stamp
\"\"\"

[[rule]]
language = "de"
kind = "milestone"
name = "lost"
phrases = "nein"
"""


def test_every_mistake_in_the_phrases_is_told_with_its_own_file_and_line(folder: Folder) -> None:
    file = folder.path / "phrases.toml"
    use = OURS + '[reader]\nphrases = "phrases.toml"\n'
    assert "phrases.toml cannot be read; is it there" in folder.problems(use)[0]
    told = {
        WRONG_PHRASES.partition("\n\n")[0]: [
            ':4: rule "contract_sined", name: is no milestone; did you mean "contract_signed"?',
            ":7: rule \"contract_sined\", phrases: a bracket stays open in '( our stamp'",
        ],
        WRONG_PHRASES.partition("\n\n")[2]: [""":2: rule "lost", language: must be 'en' or 'ru'"""],
        "[[rule]\n": [":1: is not TOML: Expected ']]' at the end of an array declaration"],
        "[[rules]]\n": [':1: rules: unknown key; did you mean "rule"?'],
    }
    for text, expected in told.items():
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            folder.load(use)
        found = [problem.removeprefix(str(file)) for problem in caught.value.problems]
        assert [problem[: len(start)] for problem, start in zip(found, expected, strict=True)] == expected


def test_spaces_around_a_name_do_not_make_it_another_one(folder: Folder) -> None:
    twice = MAILDIR.format(name=" anna ") + MAILDIR.format(name="anna")
    assert "is taken already in line 5" in only(folder.problems(OURS + twice))


# -- single values --------------------------------------------------------------------------------------------------


def test_spans_are_a_number_and_a_unit() -> None:
    spans = {"60s": 60, "5m": 300, "1h": 3600, "90d": 90 * 86400, "2w": 14 * 86400, "3y": 3 * 365 * 86400}
    assert {text: parse_duration(text).total_seconds() for text in spans} == spans


def test_a_day_has_the_zone_that_it_names_and_utc_otherwise() -> None:
    assert parse_since("2026-01-01") == datetime(2026, 1, 1, tzinfo=UTC)
    assert parse_since("2026-01-01T03:00:00+03:00") == datetime(2026, 1, 1, tzinfo=UTC)


# -- the manual -----------------------------------------------------------------------------------------------------


def manual() -> dict[str, set[str]]:
    """The keys that config.toml shows below a comment of their own, by table, and by table and kind."""
    shown: dict[str, set[str]] = {}
    for section in re.split(r"\n(?=(?:# )?\[)", (ROOT / "config.toml").read_text(encoding="utf-8")):
        header = re.match(r"(?:# )?\[+([a-z.]+)\]+", section)
        lines = section.splitlines()[1:]
        if header is None:
            continue
        if section.startswith("# "):
            lines = [line.removeprefix("# ") for line in lines]
        kind = next((line.split('"')[1] for line in lines if line.startswith("kind = ")), "")
        explained = {
            line.split(" =")[0]
            for before, line in pairwise(lines)
            if re.match(r"[a-z_]+ = ", line) and before.startswith("# ") and len(before) > 12
        }
        for name in (header[1], f"{header[1]}({kind})"):
            shown.setdefault(name, set()).update(explained)
    return shown


def test_every_key_is_explained_in_the_sample_file() -> None:
    shown = manual()
    text = (ROOT / "config.toml").read_text(encoding="utf-8")
    for key in describe_keys():
        table, _, name = key.rpartition(".")
        if table == "calendar":
            table = "mailbox"  # name, owner, since and poll are explained once
        if table == "pipeline.takes":
            assert re.search(rf"takes = {{.*\b{name} = ", text), key
        elif key != "pipeline.stage":
            assert name in shown.get(table, set()), f"{key} is not explained in config.toml"


def test_every_key_of_ours_has_one_line_about_it() -> None:
    assert not [key for key, about in describe_keys().items() if "(" not in key and not about]


def test_what_the_manual_shows_behind_comment_signs_is_right_too(folder: Folder) -> None:
    text = (ROOT / "config.toml").read_text(encoding="utf-8")
    blocks = re.findall(r"^# \[\[.*\n(?:# .*\n)*", text, re.MULTILINE)
    shown = "".join(block.replace("\n# ", "\n").removeprefix("# ") for block in blocks)
    config = folder.load(OURS + shown)
    assert {source.kind for source in config.sources} == {"imap", "gmail", "ics", "caldav"}


# -- lines ----------------------------------------------------------------------------------------------------------

KEYS = st.sampled_from(["a", "b-1", '"c.d"', "'e'", "f"])
SCALARS = st.sampled_from(
    ["1", '"x, ] } # = "', "1.5", "true", "'[['", "1979-05-27 07:32:00.5", '"""\n]\\"""', "'''\n}''''"]
)


def arrays(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(inner, max_size=3).map(lambda values: "[ # ]\n" + ", # ,\n".join(values) + "\n]")


def inline(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(KEYS, inner), max_size=3, unique_by=lambda pair: pair[0])
    return pairs.map(lambda found: "{ " + ", ".join(f"{key} = {value}" for key, value in found) + " }")


VALUES = st.recursive(SCALARS, lambda inner: arrays(inner) | inline(inner), max_leaves=8)
PAIRS = st.tuples(KEYS, VALUES).map(lambda pair: f"{pair[0]} = {pair[1]}")
HEADERS = st.sampled_from(["[t]", "[[m]]", "[[m.s]]", "[ m . o ]", "[t.u]", "\n# [x]\n", "g.h = 1"])


def paths(value: object, at: KeyPath = ()) -> Iterator[KeyPath]:
    yield at
    steps: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        steps = list(value.items())
    elif isinstance(value, list):
        steps = list(enumerate(value))
    for step, inner in steps:
        yield from paths(inner, (*at, step))


@given(st.lists(PAIRS | HEADERS, max_size=8))
def test_every_key_has_the_line_on_which_it_stands(lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    found = key_lines(text)
    assert set(found) == set(paths(raw)) - {()}
    rows = text.split("\n")
    for path, line in found.items():
        if isinstance(path[-1], str):
            assert path[-1] in rows[line - 1]


def test_a_key_in_the_second_table_of_an_array_has_its_own_line() -> None:
    lines = key_lines('[[m]]\na = 1\n[[m.s]]\nb = 1\n[[m]]\na = [\n 1,\n { c = """\n""" } ]\n')
    assert lines["m", 0, "a"] == 2
    assert lines["m", 0, "s", 0, "b"] == 4
    assert lines["m", 1, "a"] == 6
    assert lines["m", 1, "a", 0] == 7
    assert lines["m", 1, "a", 1, "c"] == 8
