"""`thoth mcp`: the library as tools and resources of the Model Context Protocol, on the official SDK."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import Resource as Listed
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from thoth import ingest
from thoth.actions import ask as asking
from thoth.actions import pages
from thoth.actions.absorb import Absorption
from thoth.engine.sampling import GREEDY
from thoth.errors import ThothError
from thoth.events import Absorbed, Answer, Passage, Progress
from thoth.ingest import Document
from thoth.serve import bridge
from thoth.serve.allowed import allowed
from thoth.serve.faults import Fault
from thoth.system.version import __version__

if TYPE_CHECKING:
    from thoth.library.records import StoredDocument
    from thoth.serve.service import Service

_ABSORB_SECONDS = 3600.0
_MOST_LETTERS = 20_000  # of pages in one result
_TITLE = 60

P = ParamSpec("P")
R = TypeVar("R")

Name = Annotated[str, Field(description="Name or id of a document, see list_documents.")]
Names = Annotated[list[str] | None, Field(description="Names or ids of documents; left out: all active ones.")]


class Found(BaseModel):
    """A passage of a document."""

    document: str
    page: int | None
    headings: list[str]
    text: str
    score: float


class Told(BaseModel):
    """An answer, and what it stands on."""

    answer: str
    support: str = Field(description="supported: a sentence of the documents says so; unsupported; or none")
    stands_on: str
    passages: list[Found]
    document_tokens_in_context: int


class Known(BaseModel):
    """A document of the library."""

    id: str
    name: str
    state: str
    active: bool
    pages: int | None
    chunks: int
    source: str | None


class Pages(BaseModel):
    """Text of some pages."""

    document: str
    text: str
    cut: bool = Field(description="The text continues; ask for fewer pages.")


def server(service: Service) -> MCPServer:
    """Return the server over an engine and its library."""
    made = _Server(service)
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    tools = _Tools(service)
    made.add_tool(_plain(tools.search_documents), title="Search documents", annotations=reads)
    made.add_tool(_plain(tools.ask_documents), title="Ask documents", annotations=reads)
    made.add_tool(_plain(tools.list_documents), title="List documents", annotations=reads)
    made.add_tool(_plain(tools.read_pages), title="Read pages", annotations=reads)
    adds = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=True)
    made.add_tool(_plain(tools.absorb_document), title="Absorb a document", annotations=adds)
    removes = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
    made.add_tool(_plain(tools.remove_document), title="Remove a document", annotations=removes)
    return made


def http(made: MCPServer) -> ASGIApp:
    """Return a server as an ASGI application at /mcp; hosts and origins are the guard's business."""
    security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    return made.streamable_http_app(transport_security=security)


class _Tools:
    """The tools: their names, signatures and first lines are what models read."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def search_documents(
        self, query: str, documents: Names = None, limit: Annotated[int, Field(ge=1, le=20)] = 5
    ) -> list[Found]:
        """Find passages that share words with a query, best first."""
        chosen = {one.id: one for one in await self._documents(documents)}
        library = self._service.library

        def find() -> list[Found]:
            found = []
            for ref, score in library.search(query, chosen, limit):
                chunk = library.chunk(ref)
                page = chunk.pages[0] if chunk.pages else None
                name = chosen[ref.document].name
                headings = list(chunk.headings)
                found.append(Found(document=name, page=page, headings=headings, text=chunk.text.strip(), score=score))
            return found

        return await run_in_threadpool(find)

    async def ask_documents(self, question: str, documents: Names = None) -> Told:
        """Answer a question from what was absorbed, and say which passages support the answer."""
        known = await self._documents(documents)
        way = asking.from_weights(known, self._service.settings.routing()) if known else asking.WITHOUT
        messages = [{"role": "user", "content": question}]
        async with self._service.asking(messages, way, None, GREEDY, whole=True) as events:
            async for event in events:
                if isinstance(event, Answer):
                    return Told(
                        answer=event.text,
                        support=event.support,
                        stands_on=asking.support(event),
                        passages=[_found(passage) for passage in event.sources],
                        document_tokens_in_context=event.stats.document_tokens_in_context,
                    )
        raise ToolError("the question was stopped")

    async def list_documents(self) -> list[Known]:
        """List the documents of the library, newest first."""
        bundle = self._service.engine.bundle_id
        return [_known(one, bundle) for one in await run_in_threadpool(self._service.library.documents)]

    async def read_pages(
        self, document: Name, first: Annotated[int, Field(ge=1)] = 1, last: Annotated[int, Field(ge=1)] = 1
    ) -> Pages:
        """Read pages of a document as it was absorbed; a document without pages has chunks instead."""
        library = self._service.library
        stored = await run_in_threadpool(library.get, document)
        text = await run_in_threadpool(pages.text, library, stored, first, last)
        return Pages(document=stored.name, text=text[:_MOST_LETTERS], cut=len(text) > _MOST_LETTERS)

    async def absorb_document(
        self,
        ctx: Context[Any, Any],
        path: Annotated[str | None, Field(description="A file, in a folder that the server may read.")] = None,
        url: Annotated[str | None, Field(description="A web page, where the server may fetch pages.")] = None,
        text: Annotated[str | None, Field(description="The text itself.")] = None,
        name: Annotated[str | None, Field(description="What to call a text.")] = None,
    ) -> Known:
        """Absorb a document, so that questions about it are answered from then on. Give one of path, url and text."""
        if sum(one is not None for one in (path, url, text)) != 1:
            raise ToolError("give one of path, url and text")
        limits, library = self._service.limits, self._service.library
        if text is not None:
            document = Document(name or text.strip().splitlines()[0][:_TITLE] if text.strip() else "text", text)
            source = None
        else:
            if url is not None and not limits.addresses:
                raise ToolError("this server may not fetch pages; start it with --allow-urls")
            place: Path | str = url if url is not None else allowed(path or "", limits.paths)
            document, source = await run_in_threadpool(ingest.read, place, self._service.reading), str(place)
        task = Absorption(document, self._service.settings.chunking, source)
        engine = self._service.engine
        async with bridge.listening(
            lambda listener: engine.absorb(
                document, chunking=task.chunking, source_name=task.source_name, listener=listener
            ),
            _ABSORB_SECONDS,
        ) as events:
            async for event in events:
                match event:
                    case Progress(stage="absorb", done=done, total=total):
                        await ctx.report_progress(done, total, f"{done} of {total} chunks of {document.name}")
                    case Absorbed():
                        stored = await run_in_threadpool(task.finish, library, event.document)
                        return _known(stored, engine.bundle_id)
        raise ToolError("absorbing was stopped; the chunks so far are kept")

    async def remove_document(self, document: Name) -> Known:
        """Remove a document from the library; the file it was read from stays."""
        library = self._service.library
        stored = await run_in_threadpool(library.get, document)
        await run_in_threadpool(library.remove, stored.id)
        return _known(stored, self._service.engine.bundle_id)

    async def _documents(self, names: Sequence[str] | None) -> list[StoredDocument]:
        library, bundle = self._service.library, self._service.engine.bundle_id

        def find() -> list[StoredDocument]:
            if names is not None:
                return [library.get(name) for name in names]
            return asking.ready(library.documents(active=True), bundle, partial=True)[0]

        return await run_in_threadpool(find)


class _Server(MCPServer[Any]):
    """Lists the documents there are now as resources."""

    def __init__(self, service: Service) -> None:
        super().__init__(
            "thoth",
            title="Thoth",
            version=__version__,
            instructions="Documents that were absorbed into weights: ask them, search them, absorb more.",
            log_level="ERROR",
        )
        self._library = service.library
        self.resource("thoth://documents/{id}", name="document", mime_type="text/plain")(self._read)

    async def _read(self, id: str) -> str:
        """The text of a document, by its id."""
        return (await run_in_threadpool(self._library.document, (await self._get(id)).id)).text

    async def _get(self, id: str) -> StoredDocument:
        return await run_in_threadpool(self._library.get, id)

    async def list_resources(self) -> list[Listed]:
        """All documents, newest first."""
        documents = await run_in_threadpool(self._library.documents)
        return [
            Listed(uri=f"thoth://documents/{one.id}", name=one.name, title=one.name, mime_type="text/plain")
            for one in documents
        ]


def _plain(tool: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """A tool whose errors reach the model as one line."""

    @wraps(tool)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await tool(*args, **kwargs)
        except Fault as error:
            raise ToolError(error.message) from error
        except ThothError as error:
            raise ToolError(str(error)) from error

    return run


def _found(passage: Passage) -> Found:
    facts = asdict(passage)
    return Found(
        document=passage.name,
        page=passage.page,
        headings=list(passage.headings),
        text=facts["quote"],
        score=passage.score,
    )


def _known(document: StoredDocument, bundle: str | None) -> Known:
    return Known(
        id=document.id,
        name=document.name,
        state=document.state(bundle),
        active=document.active,
        pages=document.pages,
        chunks=document.chunks,
        source=document.source,
    )
