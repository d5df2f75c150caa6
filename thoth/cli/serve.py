"""`thoth serve`: what Thoth knows, for every program that speaks OpenAI's API."""

import os
from pathlib import Path
from typing import Annotated

import typer

from thoth import settings
from thoth.cli import console
from thoth.cli.start import started
from thoth.errors import DocumentError
from thoth.system import paths

# Also of `thoth mcp`.
Host = Annotated[str, typer.Option("--host", metavar="NAME", help="Where to listen.")]
Port = Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="0 takes a free one.")]
ApiKey = Annotated[
    str | None, typer.Option("--api-key", metavar="KEY", help="Clients must send it; else THOTH_API_KEY.")
]
AllowPaths = Annotated[
    list[str] | None,
    typer.Option("--allow-paths", metavar="FOLDER", help="Clients may absorb files in it. May be repeated."),
]
AllowUrls = Annotated[bool, typer.Option("--allow-urls", help="Clients may absorb web pages.")]
AllowOrigin = Annotated[
    list[str] | None,
    typer.Option("--allow-origin", metavar="ORIGIN", help="Pages from there may call. May be repeated."),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option("--allow-host", metavar="NAME", help="Another name of this machine. May be repeated."),
]


def serve(
    host: Host = "127.0.0.1",
    port: Port = 11435,
    api_key: ApiKey = None,
    allow_paths: AllowPaths = None,
    allow_urls: AllowUrls = False,
    allow_origin: AllowOrigin = None,
    allow_host: AllowHost = None,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME|PATH", help="The model pair.")] = None,
) -> None:
    """Serve the library to other programs (OpenAI's API).

    Models: `thoth` answers from the active documents, `thoth/NAME` from one document or collection, `thoth/none`
    without documents.
    """
    from thoth.serve.app import application
    from thoth.serve.server import Address, Server, rules
    from thoth.serve.service import Limits, Service

    readable = folders(allow_paths)
    chosen = settings.load(paths.settings(), model=model)
    address = Address(host, port)
    may = rules(address, key_of(api_key), tuple(allow_host or ()), tuple(allow_origin or ()))
    with started(chosen) as session:
        limits = Limits(paths=readable, addresses=allow_urls)
        service = Service(session.engine, session.library, session.pair.name, chosen, limits)
        service.reads_system = session.engine.reads_system()
        server = Server(application(service, may), limits, address)
        server.run(lambda at: console.say(f"{session.pair.name} serves at {at.url}/v1 (stop with Ctrl-C)"))


def folders(names: list[str] | None) -> tuple[Path, ...]:
    """Return the folders that clients may absorb from.

    Raises:
        DocumentError: One of them is not there.
    """
    found = tuple(paths.expanded(name).resolve() for name in names or ())
    for folder in found:
        if not folder.is_dir():
            raise DocumentError(f"--allow-paths: {folder} is not a folder; name one that is there")
    return found


def key_of(flag: str | None) -> str | None:
    """Return the key that clients must send, None for none."""
    return flag or os.environ.get("THOTH_API_KEY", "").strip() or None
