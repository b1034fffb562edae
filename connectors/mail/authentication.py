"""Who really sent a letter: what our own mail server found out, read from its Authentication-Results (RFC 8601).

The header counts only when our server wrote it: it is the topmost one that bears one of our authserv-ids. Servers put
theirs on top, so one further down with our id may be the sender's invention, and one with a foreign id proves nothing.
Filters that work one after the other (OpenDKIM, OpenDMARC) write a header for each method: those count together.

    authenticated   dmarc=pass; or dkim=pass or, where there is no DMARC, spf=pass for the domain in From
    failed          dmarc=fail; or spf=fail and no signature that holds
    unknown         all else, and whenever From can be read as two people

Where our server writes no such header, a signature that holds by a key of the admin's does it (signatures.py).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import dropwhile, takewhile
from typing import Literal

import msgspec

from agent.model import Message
from connectors.domains import registrable
from connectors.mail.mime import UNSURE_SENDER

__all__ = [
    "AuthenticationResults",
    "MethodResult",
    "Verdict",
    "is_of",
    "judge",
    "parse_authentication_results",
    "proposed_id",
]

Verdict = Literal["authenticated", "failed", "unknown"]

_READ = 8_000  # characters of one header
_RESULTS = 100
_TELLING = frozenset(("dmarc", "dkim", "spf"))
_BESIDE = frozenset(("arc", "bimi"))  # filters of their own, which say nothing of the sender and may stand above
_TOKEN = re.compile(
    r"""(?P<quoted>"(?:[^"\\]++|\\.?)*+"?)|(?P<sign>[;=()/])|(?P<space>\s++)|(?P<word>\\.|[^\s;=()"/\\]++|\\)"""
)
_NO_POLICY = frozenset(("none", "bestguesspass"))  # the latter: Microsoft's word for "would pass if there were one"
_COMMENT = re.compile(r"\([^()]*+\)")
_ESCAPED = re.compile(r"\\(.)")
_ADDRESS = re.compile(r"[^\s<>\"'(),;:\[\]@]{1,64}@([^\s<>\"'(),;:\[\]@]{1,255})")


class MethodResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one method found: dkim=pass header.d=client.example."""

    method: str  # lower case
    result: str  # lower case
    properties: Mapping[str, str]  # "header.d" -> value, names in lower case


class AuthenticationResults(msgspec.Struct, frozen=True, kw_only=True):
    """One Authentication-Results header."""

    authserv_id: str  # lower case; "" when the server names none
    results: tuple[MethodResult, ...] = ()

    def of(self, method: str) -> tuple[MethodResult, ...]:
        return tuple(each for each in self.results if each.method == method)

    def says(self, method: str, *results: str) -> bool:
        return any(each.result in results for each in self.of(method))


def parse_authentication_results(value: str) -> AuthenticationResults:
    """The header as a record; what cannot be understood is left out. Never raises, and is linear."""
    parts = _parts(value[:_READ])
    first = parts[0] if parts else []
    if "=" in first:  # Microsoft 365 begins with the first result
        authserv_id, rest = "", parts
    else:
        authserv_id, rest = _server(first), parts[1:]
    results = (_result(tokens) for tokens in rest[:_RESULTS])
    return AuthenticationResults(authserv_id=authserv_id, results=tuple(each for each in results if each))


def is_of(server: str, authserv_ids: Sequence[str]) -> bool:
    """Is this one of our servers? `*.mail.example` is any host below mail.example, "" one that does not name itself."""
    return any(
        server == each or (each.startswith("*.") and server.endswith(each[1:]))
        for each in (one.strip().lower() for one in authserv_ids)
    )


def proposed_id(servers: Mapping[str, int]) -> str:
    """Of the servers on top of recent letters the one that is most likely ours; `*.` where many hosts take turns."""
    hosts = Counter(servers)
    alike = Counter(registrable(server) for server in servers if registrable(server) != server)
    for server, seen in servers.items():
        if alike[registrable(server)] > 1:
            hosts[f"*.{registrable(server)}"] += seen
    return max(hosts, key=lambda host: (hosts[host], not host.startswith("*."), host))


def _server(words: Sequence[str]) -> str:
    """The authserv-id, behind which the version 1 may stand; with anything else it is no server that we know."""
    if len(words) == 2 and words[1] == "1":
        words = words[:1]
    name = " ".join(words).rstrip(".")
    return name.lower() if name.isascii() else name  # the Kelvin sign becomes a k


def judge(
    message: Message, authserv_ids: Sequence[str], signers: Callable[[], Iterable[str]] = tuple
) -> tuple[Verdict, str]:
    """Whether the sender is who From says, and why. An id may be `*.hosts.example`: any host below.

    `signers` gives the domains whose signatures hold; they are asked for only where our server says nothing.
    """
    counting = _counting(_run(message.authentication_results, authserv_ids))
    if not counting:
        return _by_signatures(message, signers)
    results = tuple(result for each in counting for result in each.results)
    found = AuthenticationResults(authserv_id=counting[0].authserv_id, results=results)
    if failure := _failure(found):
        return "failed", failure
    if doubt := _doubt(message):
        return "unknown", doubt
    if _failure(counting[0]):
        return "unknown", "spf=fail, and a signature that holds only in a header below"
    return _aligned(found, message.from_[0].email.rpartition("@")[2])


def _by_signatures(message: Message, signers: Callable[[], Iterable[str]]) -> tuple[Verdict, str]:
    if not _doubt(message):
        domain = message.from_[0].email.rpartition("@")[2]
        for signer in signers():
            if _same_organization(signer, domain):
                return "authenticated", f"a signature of {signer} that we checked ourselves"
    return "unknown", "no Authentication-Results of our own server"


def _run(hops: Sequence[Sequence[str]], ours: Sequence[str]) -> list[AuthenticationResults]:
    """The headers that our server wrote in one go, topmost first: no other server and no hop stands between them."""
    for hop in hops:
        read = map(parse_authentication_results, hop)
        run = list(
            takewhile(
                lambda each: is_of(each.authserv_id, ours),
                dropwhile(lambda each: not is_of(each.authserv_id, ours), read),
            )
        )
        if run:
            return run
    return []


def _counting(run: Sequence[AuthenticationResults]) -> list[AuthenticationResults]:
    """Those of our server's headers that cannot be an invention of the sender.

    One that tells of several methods is all that the server has to say. Where each method has a header of its own,
    DMARC's stands on top, since it weighs the others; a method that comes again is not of the same server.
    """
    counting: list[AuthenticationResults] = []
    told: set[str] = set()
    for each in run:
        methods = {result.method for result in each.results}
        if methods and methods <= _BESIDE:
            continue
        telling = methods & _TELLING
        if counting and (len(telling) != 1 or telling & (told | {"dmarc"})):
            break
        counting.append(each)
        told |= telling
        if len(telling) != 1:
            break
    return counting


def _failure(found: AuthenticationResults) -> str:
    """Why the sender is surely not who he says, or ""."""
    if found.says("dmarc", "fail"):
        return "dmarc=fail"
    if any(each.result in ("fail", "hardfail") for each in _of_envelope(found)) and not found.says("dkim", "pass"):
        return "spf=fail and no valid signature"
    return ""


def _of_envelope(found: AuthenticationResults) -> list[MethodResult]:
    """SPF of the envelope's sender; of the server's name only where there is none of the sender (RFC 7489, 3.1.2)."""
    results = found.of("spf")
    return [each for each in results if "smtp.helo" not in each.properties or _envelope(each)] or list(results)


def _envelope(spf: MethodResult) -> str:
    names = ("smtp.mailfrom", "smtp.mail", "smtp.envelope-from")
    return next((domain for name in names if (domain := _domain_in(spf.properties.get(name, "")))), "")


def _aligned(found: AuthenticationResults, domain: str) -> tuple[Verdict, str]:
    """What holds for the domain in From, as DMARC relaxed compares them: by organizational domain."""
    for each in found.of("dmarc"):
        if each.result == "pass":
            claimed = _domain_in(each.properties.get("header.from") or each.properties.get("d") or domain)
            if _same_organization(claimed, domain):
                return "authenticated", "dmarc=pass"
            return "unknown", "dmarc=pass speaks of another domain than From"
    for each in found.of("dkim"):
        signer = _domain_in(each.properties.get("header.d") or each.properties.get("header.i", ""))
        if each.result == "pass" and _same_organization(signer, domain):
            return "authenticated", f"dkim=pass for {signer}"
    if any(each.result not in _NO_POLICY for each in found.of("dmarc")):
        return "unknown", "DMARC came to no result"  # its policy may forbid what SPF allows
    for each in _of_envelope(found):
        sender = _envelope(each) or _domain_in(each.properties.get("smtp.helo", ""))
        if each.result == "pass" and _same_organization(sender, domain):
            return "authenticated", f"spf=pass for {sender}"
    return "unknown", "nothing that passed is of the domain in From"


def _doubt(message: Message) -> str:
    """Why From does not name one person, or "" when it does."""
    for problem in message.problems:
        if problem.startswith(UNSURE_SENDER):
            return problem
    if len(message.from_) != 1:
        return f"From names {len(message.from_)} addresses"
    address = message.from_[0]
    if "@" not in address.email:
        return "From holds no address"
    if address.name.isascii() and "@" not in address.name:
        return ""
    shown = unicodedata.normalize("NFKC", address.name[:500]).lower()
    if any(found[0].rstrip(".") != address.email for found in _ADDRESS.finditer(shown)):
        return "the name in From shows another address"
    return ""


# -- domains --------------------------------------------------------------------------------------------------------


def _same_organization(one: str, other: str) -> bool:
    return bool(one) and registrable(_ascii(one)) == registrable(_ascii(other))


@lru_cache(maxsize=4096)
def _ascii(domain: str) -> str:
    """Servers write a domain in Unicode or as xn--; whichever it is, it is one."""
    try:
        return domain[:255].encode("idna").decode("ascii").lower()
    except UnicodeError:
        return domain


def _domain_in(value: str) -> str:
    return value.rpartition("@")[2].strip("<>. ").lower()


# -- the header -----------------------------------------------------------------------------------------------------


def _parts(value: str) -> list[list[str]]:
    """The header's signs between semicolons, without comments."""
    plain = _COMMENT.sub(" ", value) if "(" in value and '"' not in value and "\\" not in value else value
    if not any(sign in plain for sign in '()"\\'):
        return [part.split() for part in plain.replace("=", " = ").replace("/", " / ").split(";")]
    parts: list[list[str]] = [[]]
    depth = 0
    for found in _TOKEN.finditer(value):
        sign = found[0]
        if sign in ("(", ")"):
            depth = max(0, depth + (1 if sign == "(" else -1))
        elif depth == 0 and found.lastgroup == "quoted":
            parts[-1].append(_ESCAPED.sub(r"\1", sign.strip('"')))
        elif depth == 0 and sign == ";":
            parts.append([])
        elif depth == 0 and found.lastgroup != "space":
            parts[-1].append(sign)
    return parts


def _result(tokens: list[str]) -> MethodResult | None:
    """method [/version] = result {ptype.property = value}; `reason = text` is one of the pairs."""
    pairs = _pairs(tokens)
    if not pairs or not pairs[0][0]:
        return None
    method, result = pairs[0]
    properties: dict[str, str] = {}
    for name, value in pairs[1:]:
        properties.setdefault(name, value)
    return MethodResult(method=method, result=result.lower(), properties=properties)


def _pairs(tokens: list[str]) -> list[tuple[str, str]]:
    if tokens[1::3].count("=") * 3 == tokens.count("=") * 3 == len(tokens) and "/" not in tokens:
        return [(name.lower(), value) for name, value in zip(tokens[0::3], tokens[2::3], strict=True)]
    pairs: list[tuple[str, str]] = []
    for at, sign in enumerate(tokens):
        if sign == "=" and 0 < at < len(tokens) - 1:
            end = next((n for n in range(at + 1, min(len(tokens), at + 40)) if tokens[n] == "="), len(tokens) + 1)
            name = tokens[at - 1] if at < 3 or tokens[at - 2] != "/" else tokens[at - 3]
            pairs.append((name.lower(), "".join(tokens[at + 1 : max(at + 2, end - 1)])))
    return pairs
