"""`thoth mcp`: what Thoth knows, as tools for programs that speak the Model Context Protocol."""

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from thoth import settings
from thoth.cli import console
from thoth.cli.edge import Command, Group
from thoth.cli.serve import AllowHost, AllowOrigin, AllowPaths, AllowUrls, ApiKey, Host, Port, folders, key_of
from thoth.cli.start import started
from thoth.errors import UsageError
from thoth.system import paths

HOST, MCP_PORT = "127.0.0.1", 11436

mcp = typer.Typer(cls=Group, help="Offer the library as tools to other programs (MCP).")

Model = Annotated[str | None, typer.Option("--model", metavar="NAME|PATH", help="The model pair.")]


@mcp.callback(invoke_without_command=True)
def run(
    ctx: typer.Context,
    http: Annotated[bool, typer.Option("--http", help="Listen on a port; else on standard input.")] = False,
    host: Host = HOST,
    port: Port = MCP_PORT,
    api_key: ApiKey = None,
    allow_origin: AllowOrigin = None,
    allow_host: AllowHost = None,
    allow_paths: AllowPaths = None,
    allow_urls: AllowUrls = False,
    model: Model = None,
) -> None:
    """Offer the library as tools to other programs (MCP), on standard input and output or over HTTP."""
    on_port = {
        "--host": host != HOST,
        "--port": port != MCP_PORT,
        "--api-key": api_key,
        "--allow-origin": allow_origin,
        "--allow-host": allow_host,
    }
    if (command := ctx.invoked_subcommand) is not None:
        every = {
            "--http": http,
            **on_port,
            "--allow-paths": allow_paths,
            "--allow-urls": allow_urls,
            "--model": model,
        }
        if given := [name for name, value in every.items() if value]:
            raise UsageError(f"{given[0]} has no effect before {command}; see `thoth mcp {command} --help`")
        return
    if not http and (given := [name for name, value in on_port.items() if value]):
        raise UsageError(f"{given[0]} is for a server on a port; use it with --http")
    import anyio

    from thoth.serve import mcp_server
    from thoth.serve.guard import Guard
    from thoth.serve.server import Address, Server, rules
    from thoth.serve.service import Limits, Service

    chosen = settings.load(paths.settings(), model=model)
    limits = Limits(paths=folders(allow_paths), addresses=allow_urls)
    names = tuple(allow_host or ()), tuple(allow_origin or ())
    may = rules(Address(host, port), key_of(api_key), *names) if http else None
    with started(chosen) as session:
        service = Service(session.engine, session.library, session.pair.name, chosen, limits)
        server = mcp_server.server(service)
        if may is None:
            if sys.stdin.isatty():
                console.say(
                    "waiting for a client; `thoth mcp install --client NAME` lets one start Thoth (Ctrl-C ends)"
                )
            # The SDK's thread waits for a line, whatever is cancelled: Ctrl-C ends the process, as SIGTERM does.
            before = signal.signal(signal.SIGINT, signal.SIG_DFL)
            try:
                anyio.run(server.run_stdio_async)
            finally:
                signal.signal(signal.SIGINT, before)
            return
        app = Guard(mcp_server.http(server), may, limits)
        listening = Server(app, limits, Address(host, port))
        listening.run(lambda at: console.say(f"{session.pair.name} serves MCP at {at.url}/mcp (stop with Ctrl-C)"))


@mcp.command(cls=Command)
def install(
    client: Annotated[str, typer.Option("--client", metavar="NAME", help="claude, vscode, cursor or lmstudio.")],
    write: Annotated[bool, typer.Option("--write", help="Put it into the client's file.")] = False,
    allow_paths: AllowPaths = None,
    allow_urls: AllowUrls = False,
    model: Model = None,
) -> None:
    """Show, or write, the entry that lets a client start Thoth."""
    from thoth.serve import mcp_clients

    if client not in mcp_clients.CLIENTS:
        raise UsageError(f"{client} is not known; choose one of {', '.join(mcp_clients.CLIENTS)}")
    arguments = [part for folder in folders(allow_paths) for part in ("--allow-paths", str(folder))]
    arguments += ["--allow-urls"] if allow_urls else []
    arguments += ["--model", model] if model else []
    if write:
        place: Path = mcp_clients.write(client, arguments)
        console.say(f"wrote {place}; start {client} again")
    else:
        typer.echo(mcp_clients.shown(client, arguments))
        console.say(f"paste this into {mcp_clients.place(client).path}, or run this again with --write")
