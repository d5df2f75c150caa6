"""Tools for the web: search and fetch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from thoth.agent.tool import Arguments, Result
from thoth.errors import ThothError, UsageError

if TYPE_CHECKING:
    from thoth.agent.bench import Bench

_RESULTS = 5
_SECONDS = 10
# The library's words: it asks several engines, and reports the fault of one of them.
_NOTHING = "No results found."
_UNREACHED = re.compile(r"\bDNS|Connect|error sending request|timed out", re.IGNORECASE)


def web_search(bench: Bench, arguments: Arguments) -> Result:
    """Return titles, addresses and first words of pages, as many as fit in a result."""
    from ddgs import DDGS
    from ddgs.exceptions import DDGSException

    try:
        found = DDGS(timeout=_SECONDS).text(arguments["query"], max_results=_RESULTS)
    except DDGSException as error:
        reason = " ".join(str(error).split())
        if _UNREACHED.search(reason):
            raise ThothError("no search engine could be reached; check the connection, or try again later") from error
        if reason != _NOTHING:
            raise ThothError(f"the web search failed ({reason[:200]}); try again later") from error
        found = []
    if not found:
        return Result("Nothing was found.", is_data=False)
    each = bench.settings.agent_absorb_over // len(found)
    lines = [f"{page.get('title', '')}\n{page.get('href', '')}\n{page.get('body', '')}" for page in found]
    return Result("\n\n".join(bench.cut(line, each) for line in lines))


def check_address(address: str) -> None:
    """Raise `UsageError` where a model wrote something else for an address."""
    from thoth import ingest

    if not ingest.is_address(address.strip()):
        raise UsageError(f"{address} is no address; it begins with http:// or https://")


def web_fetch(bench: Bench, arguments: Arguments) -> Result:
    """Return a page's text; the loop absorbs it if it is long."""
    address = arguments["address"].strip()
    check_address(address)  # else it would be read as the path of a file
    document = bench.read(address)
    return Result(document.text, document, address)
