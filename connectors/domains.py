"""Which part of a domain somebody registered; by the public suffix list that the library brings along."""

from functools import lru_cache

from publicsuffixlist import PublicSuffixList

_SUFFIXES = PublicSuffixList()  # the bundled list: nothing is downloaded, nothing is cached on disk


@lru_cache(maxsize=20_000)
def registrable(domain: str) -> str:
    """mail.clinic.co.uk -> clinic.co.uk; a name with nothing above it stands for itself."""
    domain = domain.strip(".").lower()[:255]
    return _SUFFIXES.privatesuffix(domain) or domain
