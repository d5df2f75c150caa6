"""Options that several commands have, with one help text each."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME|PATH", help="The model pair; else THOTH_MODEL, or the best one here."),
]
MaxTokens = Annotated[
    str | None, typer.Option("--max-tokens", metavar="N", help="Maximum length of the answer, in tokens. [256]")
]
Route = Annotated[
    str | None,
    typer.Option("--route", metavar="auto|all|none", help="Chunks to attach: those that fit, all, none. [auto]"),
]
TopK = Annotated[str | None, typer.Option("--top-k", metavar="N", help="Maximum number of chunks to attach. [4]")]
WithText = Annotated[
    str | None,
    typer.Option("--with-text", metavar="N", help="Put the N best passages into the context as well. [0]"),
]
Fallback = Annotated[
    str | None,
    typer.Option(
        "--fallback",
        metavar="none|text",
        help="If nothing supports the answer: leave it, or read the best passage and answer again."
        " [text for models that recall under 80%, else none]",
    ),
]

Agent = Annotated[bool, typer.Option("--agent", help="Let the model call tools: memory, files, the web, MCP servers.")]
Allow = Annotated[
    str | None,
    typer.Option(
        "--allow",
        metavar="NAME,...",
        help="With --agent: permit tools to use files, write, forget, web, mcp. Others are refused, or asked about by"
        " `thoth chat` on a terminal.",
    ),
]

Inside = Annotated[
    str | None,
    typer.Option("--in", metavar="COLLECTION", help="Answer from the documents of this collection only."),
]

# The conversation
GoOn = Annotated[bool, typer.Option("--continue", "-c", help="Continue the last chat.")]
ChatName = Annotated[
    str | None,
    typer.Option("--chat", metavar="ID", help="Continue this chat: an id of `thoth chats list`, or a title."),
]
System = Annotated[
    str | None,
    typer.Option("--system", "-s", metavar="TEXT", help="System prompt of this chat; else that of the settings."),
]

# How words are chosen
Temp = Annotated[
    str | None,
    typer.Option("--temp", metavar="T", help="Temperature: 0 takes the likeliest word each time. [0]"),
]
TopP = Annotated[
    str | None,
    typer.Option("--top-p", metavar="P", help="With --temp: draw among the likeliest words of this probability. [1]"),
]
Seed = Annotated[
    str | None, typer.Option("--seed", metavar="N", help="With --temp: the same seed gives the same answer.")
]
