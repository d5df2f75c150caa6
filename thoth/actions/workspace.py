"""A loaded model pair and a library, and everything that is done with the two: the public Python API.

    import thoth

    with thoth.open() as memory:
        memory.absorb("lease.pdf")
        print(memory.ask("When does the lease end?").text)

The command line opens its model here too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypedDict, Unpack

from thoth import settings
from thoth.actions import absorb as absorbing
from thoth.actions import ask as asking
from thoth.actions import export as exporting
from thoth.actions import requests, sources
from thoth.actions.absorb import AbsorbError
from thoth.errors import UsageError
from thoth.events import Answer, Failed, Progress, Token
from thoth.library.library import Library
from thoth.library.records import StoredDocument
from thoth.models import registry
from thoth.models.registry import Pair
from thoth.retrieval.routing import Fallback, Route
from thoth.settings import Settings
from thoth.system import paths

if TYPE_CHECKING:
    from thoth.actions.ask import Knowledge, Way
    from thoth.actions.export import Format
    from thoth.engine.engine import Engine
    from thoth.engine.request import Request
    from thoth.ingest.chunks import Chunking

Documents = Iterable[str | StoredDocument]
Question = str | Sequence[dict[str, str]]


class AskOptions(TypedDict, total=False):
    """How `Workspace.ask` and `Workspace.stream` answer; None means: as the settings say.

    Attributes:
        knowledge: "weights", the default: attach the adapters of the chunks that fit, with no document in the context;
            "context": put the whole texts into the context; "none": answer without the documents.
        route: which chunks to attach: "auto", those that fit; "all"; or "none".
        top_k: number of chunks to attach at most.
        with_text: number of passages to put into the context as well.
        fallback: "text": where nothing supports an answer from the weights, read the best passage and answer again;
            "none": never.
        max_tokens: length of the answer at most, in tokens.
    """

    knowledge: Knowledge
    route: Route | None
    top_k: int | None
    with_text: int | None
    fallback: Fallback | None
    max_tokens: int | None


def open(model: str | None = None, home: str | os.PathLike[str] | None = None) -> Workspace:
    """Load a model pair and open the library beside it.

    Args:
        model: a name of `thoth models list`, or a folder with `base/` and `hypernet/`; None: as the settings say, or
            the best pair on this machine, or the built-in nano.
        home: folder of library, settings and models; None: `THOTH_HOME`, or the platform's folder for user data.

    Raises:
        ModelError: The pair is unknown, not on this machine, or damaged.
        UsageError: The settings file or a `THOTH_` variable has a mistake.
        ResourceError: Not enough memory.
    """
    folder = paths.home() if home is None else paths.expanded(home).absolute()
    with paths.at(folder):
        chosen = settings.load(paths.settings(), model=model)
        return load(registry.choose(chosen.model), chosen)


def load(pair: Pair, chosen: Settings, listener: requests.Listener = requests.ignore) -> Workspace:
    """Load a pair, with the library of the home that is in force.

    Args:
        pair: base and bundle.
        chosen: the settings in force.
        listener: gets the progress of loading.

    Raises:
        ModelError: The pair is damaged, or base and bundle do not match.
        ResourceError: Not enough memory.
    """
    from thoth.engine.engine import Engine

    home = paths.home()
    library = Library(home)
    engine = Engine(library, chosen.kv_cache_mb << 20)
    try:
        requests.last(engine.load(pair), listener)
    except BaseException:
        engine.close()
        library.close()
        raise
    return Workspace(engine, library, pair, chosen, home)


class Workspace:
    """A model pair in memory and the library of one home; made by `thoth.open`.

    A context manager: it owns a thread and the model's memory until `close`. Its methods may be called from any
    thread; they block, requests to the model run one after the other. All errors are `thoth.ThothError`s.

    Attributes:
        engine: the thread that owns MLX.
        library: the absorbed documents.
        pair: the model pair.
        settings: defaults of the methods' arguments.
    """

    def __init__(self, engine: Engine, library: Library, pair: Pair, settings: Settings, home: Path) -> None:
        self.engine = engine
        self.library = library
        self.pair = pair
        self.settings = settings
        self._home = home

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop what is running, and free the model's memory; the library stays on disk."""
        self.engine.close()
        self.library.close()

    # Documents

    def absorb(
        self,
        *names: str | os.PathLike[str],
        chunking: Chunking | None = None,
        on_progress: Callable[[str, Progress], object] | None = None,
    ) -> list[StoredDocument]:
        """Turn documents into adapters in the library, and activate them.

        A text that the library has already costs nothing. An interrupted document resumes where it left off.

        Args:
            names: files, folders (every document in them) and addresses (http, https).
            chunking: "meaning": cut where a thought ends; "tokens": chunks of equal length. None: as the settings say.
            on_progress: called with the name of a document and its progress; for the stage "absorb", `done` and
                `total` count chunks.

        Returns:
            The documents, in the order of their sources; `tokens` and `chunks` count what was read, `bytes` is the
            size of the adapters on disk.

        Raises:
            DocumentError: A file is missing, unreadable or of an unsupported kind.
            NoTextError: A document has no text.
            AbsorbError: Several sources failed; it names each, and has the documents that were absorbed.
            ResourceError: Not enough memory or disk space.
        """
        # A program that names an address of its own network may fetch it.
        expanded = sources.permit(
            sources.present(sources.expand([os.fspath(name) for name in names])),
            lambda _: True,
            recognize=self.settings.ocr == "on",
        )

        def listen(source: sources.Source, step: absorbing.Step) -> None:
            if on_progress is not None and isinstance(step, Progress):
                on_progress(source.label, step)

        report = absorbing.absorb(self.engine, self.library, expanded, chunking or self.settings.chunking, listen)
        match report.failed:
            case []:
                return [done.document for done in report.done]
            case [failure]:
                raise failure.error
        raise AbsorbError(report)

    def documents(self, *, active: bool | None = None) -> list[StoredDocument]:
        """Return the documents of the library, newest first.

        Args:
            active: only those that answer questions, or only the others; None: all.
        """
        return self.library.documents(active=active)

    def remove(self, *documents: str | StoredDocument) -> None:
        """Remove documents and their adapters; the files they were read from stay.

        Args:
            documents: ids, the first four or more letters of an id, names, or entries of `documents`.

        Raises:
            DocumentError: A document is not in the library, or several have this name; then none is removed.
        """
        for document in self._chosen(documents):
            self.library.remove(document.id)

    def export(
        self,
        documents: Documents,
        destination: str | os.PathLike[str],
        format: Format = "mlx-lm",
        *,
        force: bool = False,
    ) -> int:
        """Write documents as one LoRA adapter that other programs load.

        In each target module of each layer it has A (rank, d_in) and B (rank, d_out).

        Args:
            documents: as `remove` takes them; completely absorbed by this model.
            destination: the folder to write; it appears complete or not at all.
            format: "mlx-lm": for `mlx_lm.load(adapter_path=...)`; "peft": for `PeftModel.from_pretrained`.
            force: replace an adapter that is there.

        Returns:
            The rank: that of the hypernetwork times (number of chunks + 1).

        Raises:
            UsageError: No document, or something else is at `destination`.
            DocumentError: A document is not in the library, or not completely absorbed.
            ModelError: Another model absorbed a document.
            ResourceError: The disk is full.
        """
        chosen = self._chosen(documents)
        return exporting.export(self._home, self.pair, chosen, format, Path(destination), force=force)

    # Questions

    def ask(self, question: Question, documents: Documents | None = None, **options: Unpack[AskOptions]) -> Answer:
        """Answer a question.

        Args:
            question: a text, or a conversation `[{"role": "user", "content": ...}, ...]` that begins and ends with
                the user; a system message may come first, else the settings' system prompt does.
            documents: as `remove` takes them; None: all active documents that this model has completely absorbed.
            options: `knowledge`, `route`, `top_k`, `with_text`, `fallback`, `max_tokens`: see `AskOptions`.

        Returns:
            The answer: `text`, `sources` (the passages that support it; none where nothing in the documents does) and
            `stats` (times in seconds, memory in bytes, lengths in tokens).

        Raises:
            UsageError: The question is empty, there is no document to answer from, or an option is out of range.
            DocumentError: A document is not in the library, or another model absorbed it.
            ThothError: The conversation does not fit into the model's context.
        """
        return requests.answer(self._request(question, documents, **options))

    def stream(
        self, question: Question, documents: Documents | None = None, **options: Unpack[AskOptions]
    ) -> Iterator[Token | Answer]:
        """Answer a question piece by piece; arguments and errors are those of `ask`.

        Returns:
            `Token`s whose texts, joined, are the answer, then the whole `Answer`. To leave the loop stops the request.
        """
        return _pieces(self._request(question, documents, **options))

    def _request(
        self,
        question: Question,
        documents: Documents | None,
        *,
        knowledge: Knowledge = "weights",
        route: Route | None = None,
        top_k: int | None = None,
        with_text: int | None = None,
        fallback: Fallback | None = None,
        max_tokens: int | None = None,
    ) -> Request:
        messages = [{"role": "user", "content": question}] if isinstance(question, str) else [*question]
        if not messages or not messages[-1]["content"].strip():
            raise UsageError("the question is empty")
        limits = settings.checked(
            route=route, top_k=top_k, with_text=with_text, fallback=fallback, max_tokens=max_tokens
        )
        chosen = replace(self.settings, **limits)  # type: ignore[arg-type]
        if chosen.system and messages[0]["role"] != "system":
            messages = [{"role": "system", "content": chosen.system}, *messages]
        way = self._way(documents, knowledge, chosen)
        return self.engine.ask(
            messages, way.documents, way.context, way.routing, chosen.max_tokens, sampling=chosen.sampling()
        )

    def _way(self, documents: Documents | None, knowledge: Knowledge, chosen: Settings) -> Way:
        if knowledge == "none":
            return asking.WITHOUT
        if documents is None:
            known, _ = asking.ready(self.library.documents(active=True), self.engine.bundle_id)
        else:
            known = self._chosen(documents)
        if not known:
            raise UsageError('no document to answer from: absorb one, or ask with knowledge="none"')
        if knowledge == "context":
            return asking.from_context([self.library.document(document.id) for document in known])
        return asking.from_weights(known, chosen.routing())

    def _chosen(self, documents: Documents) -> list[StoredDocument]:
        """Return the documents, each once."""
        given = [documents] if isinstance(documents, str | StoredDocument) else documents
        found = [self.library.get(one.id if isinstance(one, StoredDocument) else one) for one in given]
        return list({document.id: document for document in found}.values())


def _pieces(events: Request) -> Iterator[Token | Answer]:
    with closing(events):
        for event in events:
            match event:
                case Failed():
                    raise event.error
                case Token() | Answer():
                    yield event
