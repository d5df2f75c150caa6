"""The routes of `thoth serve`."""

from __future__ import annotations

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from thoth.errors import ThothError
from thoth.serve import chat, documents, names, openapi, responses, shapes
from thoth.serve.faults import Fault, fault
from thoth.serve.guard import Guard, Rules
from thoth.serve.jobs import Jobs
from thoth.serve.openapi import Endpoint, Handler
from thoth.serve.service import Service
from thoth.system import crash_log


async def models(request: Request) -> Response:
    """List the models: all active documents, each document, none."""
    service: Service = request.app.state.service
    data = await run_in_threadpool(names.listed, service.library, service.engine.bundle_id)
    return JSONResponse({"object": "list", "data": data})


async def model(request: Request) -> Response:
    """Show one model."""
    service: Service = request.app.state.service
    name = request.path_params["name"]
    data = await run_in_threadpool(names.listed, service.library, service.engine.bundle_id)
    for one in data:
        if name in (one["id"], f"{names.PREFIX}{one['thoth']['document']}"):
            return JSONResponse(one)
    raise Fault(404, f"there is no model {name}: see /v1/models", "model_not_found")


async def health(request: Request) -> Response:
    """Say that the server answers, and with which model."""
    service: Service = request.app.state.service
    return JSONResponse({"status": "ok", "model": service.pair, "questions_in_flight": service.in_flight})


async def metrics(request: Request) -> Response:
    """Numbers for Prometheus."""
    service: Service = request.app.state.service
    count = len(await run_in_threadpool(service.library.documents))
    return Response(service.metrics.text(service.in_flight, count), media_type="text/plain; version=0.0.4")


async def schema(request: Request) -> Response:
    """Describe these routes (OpenAPI 3.1)."""
    return JSONResponse(openapi.document(ENDPOINTS))


ENDPOINTS = (
    Endpoint("GET", "/v1/models", models),
    Endpoint("GET", "/v1/models/{name:path}", model),
    Endpoint("POST", "/v1/chat/completions", chat.completions, shapes.ChatRequest),
    Endpoint("POST", "/v1/responses", responses.create, shapes.ResponsesRequest),
    Endpoint("GET", "/v1/files", documents.files),
    Endpoint("POST", "/v1/files", documents.upload),
    Endpoint("GET", "/v1/files/{id}", documents.file),
    Endpoint("GET", "/v1/files/{id}/content", documents.content),
    Endpoint("DELETE", "/v1/files/{id}", documents.remove_file),
    Endpoint("GET", "/v1/documents", documents.listed),
    Endpoint("POST", "/v1/documents", documents.add, shapes.NewDocument),
    Endpoint("GET", "/v1/documents/{id}", documents.one),
    Endpoint("PATCH", "/v1/documents/{id}", documents.change, shapes.DocumentChange),
    Endpoint("POST", "/v1/documents/{id}/update", documents.update),
    Endpoint("DELETE", "/v1/documents/{id}", documents.remove),
    Endpoint("GET", "/health", health),
    Endpoint("GET", "/metrics", metrics),
    Endpoint("GET", "/openapi.json", schema),
)


def application(service: Service, rules: Rules) -> ASGIApp:
    """Return the server as an ASGI application, guarded."""
    app = Starlette(
        routes=[Route(one.path, _counted(one, service), methods=[one.method]) for one in ENDPOINTS],
        exception_handlers={
            HTTPException: _not_found,
            Fault: _failed,
            ThothError: _failed,
            ValidationError: _failed,
            Exception: _crashed,
        },
    )
    app.state.service = service
    app.state.jobs = Jobs(service)
    return Guard(app, rules, service.limits)


def _counted(endpoint: Endpoint, service: Service) -> Handler:
    """The handler of an endpoint, counted by what it answers."""

    async def handle(request: Request) -> Response:
        status = 500
        try:
            response = await endpoint.handler(request)
            status = response.status_code
            return response
        except (Fault, ThothError, ValidationError) as error:
            status = fault(error).status
            raise
        finally:
            service.metrics.requests.labels(f"{endpoint.method} {endpoint.path}", status).inc()

    return handle


async def _failed(_: Request, error: Exception) -> Response:
    return fault(error).response()


async def _crashed(_: Request, error: Exception) -> Response:
    return Fault(500, crash_log.keep(error)).response()


async def _not_found(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = {
        404: f"there is nothing at {request.url.path}: see /openapi.json",
        405: f"{request.method} is not allowed here",
    }
    message = known.get(error.status_code, str(error.detail))
    return Fault(error.status_code, message, headers=error.headers).response()
