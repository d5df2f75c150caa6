"""Tools for what was absorbed: find passages, ask, list, read pages, remember, forget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thoth.agent.tool import Arguments, Result
from thoth.agent.web_tools import check_address
from thoth.errors import DocumentError, UsageError
from thoth.system import paths

if TYPE_CHECKING:
    from thoth.agent.bench import Bench
    from thoth.library.records import StoredDocument

_PASSAGES = 4
_TITLE = 60  # letters of the first line of a remembered text


def search_memory(bench: Bench, arguments: Arguments) -> Result:
    """Return the passages that share words with a query, with their pages, as many as fit in a result."""
    from thoth.actions.ask import place
    from thoth.actions.wording import count

    documents = {document.id: document for document in bench.documents()}
    found = bench.library.search(arguments["query"], documents, _PASSAGES)
    if not found:
        return Result("No passage has these words.")
    each = max(bench.settings.agent_absorb_over // (len(found) + 1), 20)
    lines = []
    for ref, _ in found:
        chunk = bench.library.chunk(ref)
        page = chunk.pages[0] if chunk.pages else None
        where = place(documents[ref.document].name, page, chunk.headings)
        lines.append(f"[{where}] {bench.cut(_around(chunk.text, arguments['query']), each)}")
    text = "\n".join(lines)
    return Result(f"{count(len(found), 'passage')}, {count(bench.engine.count_tokens(text), 'token')}\n{text}")


def _around(text: str, query: str) -> str:
    """Return a passage from the sentence on that has most of a query's words."""
    from thoth.ingest import sentences
    from thoth.retrieval.terms import terms

    wanted = frozenset(terms(query))
    starts = [0, *(begin for _, begin in sentences.ends(text))]
    spans = [(start, text[start:end]) for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    best = max(spans, key=lambda span: len(wanted.intersection(terms(span[1]))))
    return " ".join(text[best[0] :].split())


def ask_memory(bench: Bench, arguments: Arguments) -> Result:
    """Return the answer from the weights, and where the documents say so."""
    from thoth.actions import ask

    way = ask.from_weights(bench.documents(), bench.settings.routing())
    messages = [{"role": "user", "content": arguments["question"]}]
    request = bench.engine.ask(messages, way.documents, routing=way.routing, max_tokens=bench.settings.max_tokens)
    answer = bench.answered(request)
    return Result(f"{answer.text}\n{ask.support(answer)}")


def list_documents(bench: Bench, _: Arguments) -> Result:
    """Return a line for each document, newest first, as many as fit in a result."""
    from thoth.actions.wording import count

    documents = bench.library.documents()
    if not documents:
        return Result("There are no documents.", is_data=False)
    lines = [_line(document) for document in documents]
    shown = bench.cut("\n".join(lines)).split("\n")
    left = len(lines) - len(shown)
    return Result("\n".join([*shown, *([f"and {count(left, 'document')} more"] if left else [])]))


def _line(document: StoredDocument) -> str:
    from thoth.actions.wording import count

    size = count(document.pages, "page") if document.pages else count(document.chunks, "chunk")
    return f"{document.name} ({size}{'' if document.active else ', inactive'})"


def read_pages(bench: Bench, arguments: Arguments) -> Result:
    """Return pages of a document, as far as they fit in a result; a format without pages has chunks."""
    from thoth.actions import pages

    stored = bench.library.get(arguments["document"])
    first, last = int(arguments["first"]), int(arguments["last"])  # JSON's whole numbers may be written 1.0
    text = pages.text(bench.library, stored, first, last)
    shown = bench.cut(text)
    return Result(shown if len(shown) == len(text) else f"{shown} …\n(cut here; the rest is in memory)")


def remember(bench: Bench, arguments: Arguments) -> Result:
    """Absorb a text, a file or a web page into the library, and return a receipt."""
    from thoth import ingest
    from thoth.actions import absorb, sources
    from thoth.agent import wrapping
    from thoth.ingest import Document, files

    content = arguments["content"].strip()
    if not content:
        raise UsageError("there is nothing to remember")
    match arguments["kind"]:
        case "text":
            title = content.splitlines()[0][:_TITLE].strip()
            document, origin = Document(title, content), None
        case "file":
            path = paths.expanded(content)
            if path.is_dir():
                raise DocumentError(f"{content} is a folder; name a file")
            if files.is_stream(path):  # reading the terminal would take what a person types
                raise DocumentError(f"{content} is a pipe or a device; name a file")
            document = ingest.read(path, bench.options())
            origin = sources.Source(str(path)).origin
        case _:
            check_address(content)  # else it would be read as the path of a file
            document = bench.read(content)
            origin = content
    bench.stopper.check()  # a file is read to its end
    task = absorb.Absorption(document, bench.settings.chunking, origin)
    request = bench.engine.absorb(document, chunking=task.chunking, source_name=origin)
    stored = task.finish(bench.library, bench.absorbed(request))
    bench.own.append(stored.id)
    return Result(wrapping.receipt(stored, document), absorbed=(stored.id,), is_data=False)


def forget(bench: Bench, arguments: Arguments) -> Result:
    """Remove a document."""
    stored = bench.library.get(arguments["document"])
    bench.library.remove(stored.id)
    return Result(f"Removed {stored.name}.")
