"""`thoth chat`: a conversation line by line, on a terminal or a pipe."""

import json as json_text
import sys
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thoth import settings
from thoth.actions.wording import count
from thoth.cli import agent as tools
from thoth.cli import answers, console, options
from thoth.cli.start import started
from thoth.errors import Stopped, ThothError, UsageError
from thoth.system import paths

if TYPE_CHECKING:
    from thoth.actions.chat import Chat
    from thoth.actions.workspace import Workspace
    from thoth.chats.sessions import Session, Sessions
    from thoth.events import Answer
    from thoth.library.records import StoredDocument

_PROMPT = "> "
_HELP = "/new starts a new chat, /system TEXT sets its system prompt, /quit or Ctrl-D leaves, Ctrl-C stops an answer"


def chat(
    inside: options.Inside = None,
    go_on: options.GoOn = False,
    name: options.ChatName = None,
    system: options.System = None,
    agent: options.Agent = False,
    allow: options.Allow = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Do not print what supports answers, nor how full the context is.")
    ] = False,
    route: options.Route = None,
    top_k: options.TopK = None,
    with_text: options.WithText = None,
    fallback: options.Fallback = None,
    temp: options.Temp = None,
    top_p: options.TopP = None,
    seed: options.Seed = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each answer, on a line.")] = False,
    model: options.Model = None,
    max_tokens: options.MaxTokens = None,
) -> None:
    """Chat line by line, from the active documents.

    What the chat itself says is known as well.

    Ctrl-C stops an answer; a second one leaves. On a pipe, each line is a question too.
    """
    from thoth.chats.sessions import Sessions

    if allow is not None and not agent:
        raise UsageError("--allow is for tools; use it with --agent")
    chosen = settings.load(
        paths.settings(),
        model=model,
        route=route,
        top_k=top_k,
        with_text=with_text,
        fallback=fallback,
        temp=temp,
        top_p=top_p,
        seed=seed,
        max_tokens=max_tokens,
    )
    sessions = Sessions(paths.home())
    earlier = resumed(sessions, go_on, name)
    if inside is not None:
        from thoth.library.library import Library

        Library(paths.home()).collection(inside)  # a misspelt name should not take seconds to find
    permitted = tools.allowed(allow, [*chosen.mcp])
    with started(chosen) as session, ExitStack() as ending:
        begun = tools.begun(session, sessions, permitted, quiet=quiet, asks=True) if agent else None
        worker = ending.enter_context(begun) if begun else None
        _Loop(session, sessions, earlier, system, inside, worker, quiet=quiet, json=json).run()


def resumed(sessions: "Sessions", go_on: bool, name: str | None) -> "Session | None":
    """Return the chat that --continue or --chat means, None without either.

    Raises:
        UsageError: There is no chat yet.
        DocumentError: There is none of this name.
    """
    if name is not None:
        return sessions.named(name)
    if not go_on:
        return None
    if (last := sessions.last()) is None:
        raise UsageError("no earlier chat to continue; ask without --continue")
    return last


class _Loop:
    """Reads questions and prints answers until the input ends."""

    def __init__(
        self,
        session: "Workspace",
        sessions: "Sessions",
        earlier: "Session | None",
        system: str | None,
        inside: str | None,
        worker: "tools.CommandAgent | None",
        *,
        quiet: bool,
        json: bool,
    ) -> None:
        from thoth.engine.background import BackgroundThread

        self._session, self._sessions, self._quiet, self._json = session, sessions, quiet, json
        self._inside = inside
        self._worker = worker
        self._is_terminal = sys.stdin.isatty()
        self._chat = self._open(earlier, system)
        self._memory = BackgroundThread("memory")
        self._leaving = False

    def _open(self, earlier: "Session | None", system: str | None) -> "Chat":
        from thoth.actions.chat import Chat

        return Chat(self._session, self._sessions, not_saved, earlier, system)

    def run(self) -> None:
        """Answer line after line.

        Raises:
            Stopped: Ctrl-C, at the prompt or twice.
            ThothError: On a pipe: the last question that could not be answered.
        """
        if self._is_terminal and not self._quiet:
            self._introduce()
        failure: ThothError | None = None
        stopped = False
        self._remember()  # what an earlier process did not finish
        while (line := self._read()) is not None:
            if self._is_terminal and line.startswith("/"):
                if self._obey(line):
                    break
                continue
            if not line:
                continue
            try:
                self._answer(line)
                stopped = False
            except (KeyboardInterrupt, Stopped):
                console.say("stopped; press Ctrl-C again to leave")
                if stopped:
                    raise Stopped("stopped") from None
                stopped = not self._is_terminal
            except ThothError as error:
                console.say(str(error))
                failure = error
            self._remember()
        self._end()
        if failure is not None and not self._is_terminal:
            raise typer.Exit(failure.exit_code)

    def _introduce(self) -> None:
        documents = count(len(self._documents()), "document" if self._inside else "active document")
        title = f"continuing: {self._chat.session.title}" if self._chat.session else "new chat"
        console.say(f"{title}; {self._session.pair.name}, {documents}; /help lists commands")

    def _documents(self) -> "list[StoredDocument]":
        """The documents of the collection, else the active ones."""
        library = self._session.library
        return library.documents(active=True) if self._inside is None else library.collection(self._inside)

    def _read(self) -> str | None:
        """Return the next line, or None at the end.

        Raises:
            Stopped: Ctrl-C.
        """
        try:
            if not self._is_terminal:
                line = sys.stdin.readline()
                return line.strip() if line else None
            with suppress(ImportError):
                import readline  # noqa: F401  edits the line, and recalls earlier ones
            if sys.stdout.isatty():
                return input(_PROMPT).strip()
            print(_PROMPT, end="", file=sys.stderr, flush=True)  # answers go to a file, and nothing else does
            return input().strip()
        except EOFError:
            print(file=sys.stderr)
            return None
        except UnicodeDecodeError as error:
            raise UsageError("standard input is not text; send it as UTF-8") from error
        except KeyboardInterrupt:
            raise Stopped("left; `thoth chat --continue` resumes this chat") from None

    def _obey(self, line: str) -> bool:
        """Carry out a command; returns whether it leaves."""
        word, _, argument = line.partition(" ")
        match word:
            case "/quit" | "/exit":
                return True
            case "/new":
                self._chat = self._open(None, None)
                if self._worker:
                    self._worker.begin_chat()
                console.say("new chat")
            case "/system":
                if argument.strip():
                    self._chat.system = "" if argument.strip() == "off" else argument.strip()
                now = self._chat.system if self._chat.system is not None else self._session.settings.system
                console.say(f"system prompt: {now or 'none'}")
            case "/help":
                console.say(_HELP)
            case _:
                console.say(f"unknown command {word}; {_HELP}")
        return False

    def _answer(self, question: str) -> None:
        from thoth.actions import ask as asking

        ready, left_out = asking.ready(
            self._documents(), self._session.engine.bundle_id, partial=True, inactive=self._inside is not None
        )
        if left_out:
            console.say(asking.not_ready(len(left_out), "document" if self._inside else "active document"))
        writes = sys.stdout.isatty() and not self._json
        way = asking.from_weights(ready, self._session.settings.routing())

        respond = partial(self._worker.answer, self._chat) if self._worker else None
        try:
            answer = self._chat.ask(question, way, answers.listener(writes), respond)
        finally:
            if writes:
                typer.echo()
        if self._json:
            typer.echo(json_text.dumps(self._facts(question, answer), ensure_ascii=False))
            return
        if not writes:
            typer.echo(answer.text)
            sys.stdout.flush()
        remembered = self._chat.remembered
        if not self._quiet and (ready or remembered.documents):
            console.label(asking.support(answer), good=answer.support == "supported")
        if not self._quiet and self._is_terminal:
            from thoth.actions import memory

            console.say(memory.meter(answer.stats, self._session.settings.agent_window, remembered))

    def _facts(self, question: str, answer: "Answer") -> dict[str, Any]:
        session = self._chat.session
        assert session is not None
        return {
            "question": question,
            **answers.facts_of(answer, self._session.pair.name),
            "chat": session.id,
            "absorbed_turns": len(self._chat.remembered.turns),
            **(self._worker.facts() if self._worker else {}),
        }

    def _remember(self) -> None:
        """Absorb turns that no longer fit, while the next question is read and answered."""
        chat = self._chat

        def absorb() -> None:
            if self._leaving:
                return
            try:
                chat.remember(stopped=lambda: self._leaving)
            except Stopped:
                pass
            except ThothError as error:
                console.say(f"the oldest turns stay in the context: {error}")

        self._memory.submit(absorb)

    def _end(self) -> None:
        """Leave a terminal at once; on a pipe, finish what is being absorbed."""
        self._leaving = self._is_terminal
        self._memory.close(wait=not self._is_terminal)


def not_saved(error: ThothError) -> None:
    """Say that a chat cannot be stored."""
    console.say(f"this chat is not saved: {error}")
