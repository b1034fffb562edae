"""Which part of a domain somebody registered; by the public suffix list that the library brings along."""

from functools import cache, lru_cache

from publicsuffixlist import PublicSuffixList


@lru_cache(maxsize=20_000)
def registrable(domain: str) -> str:
    """mail.clinic.co.uk -> clinic.co.uk; a name with nothing above it stands for itself."""
    domain = domain.strip(".").lower()[:255]
    return _suffixes("xn--" in domain).privatesuffix(domain) or domain


@cache
def _suffixes(punycode: bool) -> PublicSuffixList:
    """The bundled list: nothing is downloaded. Its names in punycode take longest to make and are hardly ever asked."""
    return PublicSuffixList(accept_encoded_idn=punycode)
