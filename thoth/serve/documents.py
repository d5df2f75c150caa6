"""`/v1/documents`, Thoth's own routes, and `/v1/files`, the same documents as OpenAI's clients know files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from thoth import ingest
from thoth.actions import update as updating
from thoth.actions.absorb import Absorption
from thoth.actions.describe import facts
from thoth.library.records import StoredDocument
from thoth.serve.allowed import allowed
from thoth.serve.faults import Fault
from thoth.serve.jobs import Jobs
from thoth.serve.service import Service
from thoth.serve.shapes import DocumentChange, NewDocument

_FILE = "file-"
_LONGEST_NAME = 200  # bytes; file systems take 255


# Thoth's own


async def listed(request: Request) -> Response:
    """All documents, newest first."""
    service: Service = request.app.state.service
    documents = await run_in_threadpool(service.library.documents)
    return JSONResponse({"object": "list", "data": [_facts(request, document) for document in documents]})


async def one(request: Request) -> Response:
    """One document."""
    return JSONResponse(_facts(request, await _named(request)))


async def add(request: Request) -> Response:
    """Absorb a file of this machine, or a page, where that is allowed."""
    service: Service = request.app.state.service
    wanted = NewDocument.model_validate_json(await request.body())
    if (wanted.path is None) == (wanted.url is None):
        raise Fault(400, "give one of path and url")
    if wanted.path is not None:
        place: Path | str = allowed(wanted.path, service.limits.paths)
    else:
        place = wanted.url or ""
        if not service.limits.addresses:
            raise Fault(403, "addresses are not absorbed by this server; start it with --allow-urls", "not_allowed")
        if not ingest.is_address(place):
            raise Fault(400, "url must be an http or https address")
    chunking = wanted.chunking or service.settings.chunking

    def absorb() -> StoredDocument:
        document = ingest.read(place, service.reading)
        return _jobs(request).absorb(Absorption(document, chunking, str(place)))

    async with _jobs(request).room:
        return JSONResponse(_facts(request, await run_in_threadpool(absorb)), 202)


async def change(request: Request) -> Response:
    """Rename a document, activate or deactivate it."""
    service: Service = request.app.state.service
    wanted = DocumentChange.model_validate_json(await request.body())
    document = await _named(request)

    def apply() -> StoredDocument:
        if wanted.name is not None:
            service.library.rename(document.id, wanted.name)
        if wanted.active is not None:
            service.library.activate([document.id], wanted.active)
        return service.library.get(document.id)

    return JSONResponse(_facts(request, await run_in_threadpool(apply)))


async def update(request: Request) -> Response:
    """Absorb a document again where it changed, or was absorbed by another model."""
    service: Service = request.app.state.service
    document = await _named(request)
    if document.source is not None:
        if ingest.is_address(document.source):
            if not service.limits.addresses:
                raise Fault(403, "addresses are not fetched by this server; start it with --allow-urls", "not_allowed")
        else:
            allowed(document.source, service.limits.paths)

    def apply() -> StoredDocument:
        bundle, recognize = service.engine.bundle_id or "", service.reading.recognize
        found = updating.find(service.library, document, bundle, fetch=True, recognize=recognize)
        return document if found is None else _jobs(request).absorb(found.absorption)

    async with _jobs(request).room:
        return JSONResponse(_facts(request, await run_in_threadpool(apply)), 202)


async def remove(request: Request) -> Response:
    """Remove a document and its adapters; the file it was read from stays."""
    service: Service = request.app.state.service
    document = await _named(request)
    await run_in_threadpool(service.library.remove, document.id)
    return JSONResponse({"id": document.id, "object": "document.deleted", "deleted": True})


# As OpenAI's files


async def files(request: Request) -> Response:
    """All documents as files."""
    service: Service = request.app.state.service
    documents = await run_in_threadpool(service.library.documents)
    data = [_file(request, document) for document in documents]
    return JSONResponse({"object": "list", "data": data, "has_more": False})


async def upload(request: Request) -> Response:
    """Absorb an uploaded file."""
    async with request.form(
        max_files=1, max_fields=8, max_part_size=request.app.state.service.limits.upload_bytes
    ) as form:
        sent = form.get("file")
        if not isinstance(sent, UploadFile):
            raise Fault(400, "the form has no file")
        async with _jobs(request).room:
            stored = await run_in_threadpool(_absorb_upload, request, sent)
    return JSONResponse(_file(request, stored))


async def file(request: Request) -> Response:
    """One file."""
    return JSONResponse(_file(request, await _named(request)))


async def content(request: Request) -> Response:
    """The text of a file as it was read."""
    service: Service = request.app.state.service
    document = await _named(request)
    return PlainTextResponse((await run_in_threadpool(service.library.document, document.id)).text)


async def remove_file(request: Request) -> Response:
    """Remove a file's document."""
    service: Service = request.app.state.service
    document = await _named(request)
    await run_in_threadpool(service.library.remove, document.id)
    return JSONResponse({"id": _FILE + document.id, "object": "file", "deleted": True})


def _absorb_upload(request: Request, sent: UploadFile) -> StoredDocument:
    service: Service = request.app.state.service
    with tempfile.TemporaryDirectory(prefix="thoth-upload-") as folder:
        path = Path(folder) / _file_name(sent.filename or "")
        with path.open("wb") as copy:
            while piece := sent.file.read(1 << 20):
                copy.write(piece)
        document = ingest.read(path, service.reading)
    return _jobs(request).absorb(Absorption(document, service.settings.chunking))


def _file_name(sent: str) -> str:
    """Return the last part of a name that a client gave, which says the kind of file, as any disk takes it."""
    name = Path(sent.replace("\\", "/").replace("\0", "")).name
    kept = name.encode(errors="replace")[-_LONGEST_NAME:].decode(errors="ignore")
    return kept if kept.strip(".") else "document"


def _file(request: Request, document: StoredDocument) -> dict[str, Any]:
    job = _jobs(request).get(document.id)
    status = "processed" if document.complete else "error" if job and job.error else "uploaded"
    return {
        "id": _FILE + document.id,
        "object": "file",
        "bytes": document.bytes,
        "created_at": int(document.added.timestamp()),
        "filename": document.name,
        "purpose": "user_data",
        "status": status,
        "status_details": job.error if job and job.error else None,
        "thoth": _facts(request, document),
    }


# Both


def _facts(request: Request, document: StoredDocument) -> dict[str, Any]:
    service: Service = request.app.state.service
    return {
        "object": "document",
        **facts(document, service.engine.bundle_id),
        "error": _jobs(request).failed(document.id),
    }


def _jobs(request: Request) -> Jobs:
    jobs: Jobs = request.app.state.jobs
    return jobs


async def _named(request: Request) -> StoredDocument:
    service: Service = request.app.state.service
    name = str(request.path_params["id"])
    return await run_in_threadpool(service.library.get, name.removeprefix(_FILE))
