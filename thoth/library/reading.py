"""Reading a library: its documents, their texts, chunks and adapters, and which chunks a question needs."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from thoth.errors import DocumentError, ThothError
from thoth.ingest import Document
from thoth.ingest.stamps import Stamp
from thoth.library import bm25, collections, naming, queries, repair
from thoth.library.adapters import AdapterFiles, DamagedError, Pairs, join
from thoth.library.proximity import proximity
from thoth.library.records import ChunkRef, StoredChunk, StoredDocument, document_ids, known_as
from thoth.library.schema import SCHEMA
from thoth.library.scope import Scope
from thoth.library.words import Words
from thoth.system.sqlite import Database

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlx_hypernet.adapter import ChunkAdapters
    from mlx_hypernet.marks import Marks

# Chunks that are read for a question: what BM25 ranks lower is not the best either. With 64 one question in 2,000 is
# found that is not with these.
_READ = 32

# Adapters kept in memory: about 100 chunks of a 3B model, all of nano's.
_RECENT_BYTES = 512 << 20

_DIFFERENT_MODELS = "different models absorbed these documents: `thoth docs update` absorbs them with this one"


class LibraryReader:
    """What can be read of a Thoth home; see `Library`, which changes it too.

    Args:
        home: the folder, usually `paths.home()`.
        recent_bytes: adapters kept in memory.
    """

    def __init__(self, home: Path, recent_bytes: int = _RECENT_BYTES) -> None:
        self._home = home
        self._database = Database(home / "library.db", SCHEMA)
        self._files = AdapterFiles(home / "documents", recent_bytes)
        self._words = Words()
        self._last: tuple[tuple[int, frozenset[str]], Scope] | None = None

    def close(self) -> None:
        """Close the database; it is opened again when it is needed."""
        self._database.close()

    # Documents

    def find(self, sha256: str, bundle: str, chunking: str) -> StoredDocument | None:
        """Return the document with this text, if the bundle has absorbed it or begun to."""
        with self._database.reading() as database:
            return queries.found_first(database, document_ids(sha256, bundle, chunking))

    def documents(self, *, active: bool | None = None) -> list[StoredDocument]:
        """Return all documents, or those that are active or are not, newest first; those of chats are left out."""
        with self._database.reading() as database:
            if active is None:
                return queries.listed(database, "NOT of_chat")
            return queries.listed(database, "NOT of_chat AND active = ?", active)

    def known(self, ids: Collection[str]) -> list[StoredDocument]:
        """Return those of some documents that are there, by their ids, also those of chats; in this order."""
        with self._database.reading() as database:
            return [document for id in ids if (document := queries.found(database, id)) is not None]

    def get(self, name: str, *, loosely: bool = False) -> StoredDocument:
        """Return a document by its id, by its name, or by the first letters of its id, four or more.

        Args:
            name: any of these.
            loosely: a part of its name will do, where it is the part of one name only.

        Raises:
            DocumentError: None or several documents are meant; the message names similar ones.
        """
        with self._database.reading() as database:
            return naming.named(partial(queries.listed, database), name, loosely=loosely)

    def collections(self) -> dict[str, list[str]]:
        """Return the ids of the documents in each collection, by its name, in alphabetical order."""
        with self._database.reading() as database:
            return collections.all(database)

    def collection(self, name: str) -> list[StoredDocument]:
        """Return the documents of a collection, newest first.

        Raises:
            DocumentError: There is no such collection.
        """
        with self._database.reading() as database:
            return queries.listed(database, collections.MEMBERS, collections.existing(database, name))

    def missing(self, id: str) -> list[int]:
        """Return the numbers of the chunks that are not absorbed yet."""
        with self._database.reading() as database:
            queries.existing(database, id)
            return [*queries.missing(database, id)]

    def document(self, id: str) -> Document:
        """Return a document's text with its pages and blocks."""
        with self._database.reading() as database:
            return queries.document(database, id)

    def chunks(self, id: str) -> list[StoredChunk]:
        """Return the chunks of a document in order, absorbed or not."""
        with self._database.reading() as database:
            queries.existing(database, id)
            return queries.chunks(database, id)

    def chunk(self, ref: ChunkRef) -> StoredChunk:
        """Return one chunk."""
        with self._database.reading() as database:
            queries.existing(database, ref.document)
            if not (chunks := queries.chunks(database, ref.document, ref.number)):
                raise DocumentError(f"document {ref.document} has no chunk {ref.number + 1}")
            return chunks[0]

    def questions(self, id: str) -> tuple[str, ...] | None:
        """Return the questions that were written for a document; None before that."""
        with self._database.reading() as database:
            return queries.questions(database, id)

    # Adapters

    def adapters(self, refs: Sequence[ChunkRef]) -> ChunkAdapters:
        """Return the adapters of chunks, in this order. On the thread that owns MLX.

        Raises:
            DocumentError: A chunk is not absorbed, or a file is damaged: then its chunk is missing from now on.
            ThothError: Different bundles absorbed these chunks.
        """
        return join(*self._pairs(refs))

    def each(self, refs: Sequence[ChunkRef]) -> list[ChunkAdapters]:
        """Return the adapters of chunks as `adapters` does, but each by itself: nothing is copied."""
        pairs, bias = self._pairs(refs)
        return [join([chunk], bias) for chunk in pairs]

    def _pairs(self, refs: Sequence[ChunkRef]) -> tuple[list[Pairs], Pairs]:
        if not refs:
            raise ValueError("the adapters of no chunk were asked for")
        with self._database.reading() as database:
            receipts = [queries.receipt(database, ref) for ref in refs]
            bundles = {queries.existing(database, id).bundle for id in {ref.document for ref in refs}}
            bundle = max(bundles, key=len)  # Thoth 0.1 knew it by the first part of its id
            if not bundles.issubset(known_as(bundle)):
                raise ThothError(_DIFFERENT_MODELS)
            bias_receipt = queries.bias(database, bundle)
        try:
            pairs = [self._files.chunk(ref, receipt) for ref, receipt in zip(refs, receipts, strict=True)]
            bias = self._files.bias(bundle, bias_receipt)
        except DamagedError as error:
            raise self._forget_damaged(refs, error) from error
        if any(pair.scale != bias.scale for pair in pairs):  # the id of Thoth 0.1 did not tell scales apart
            raise ThothError("these documents were absorbed with different scales: remove them and absorb them again")
        return pairs, bias

    def _forget_damaged(self, refs: Sequence[ChunkRef], error: DamagedError) -> DocumentError:
        """Let the chunks of damaged files count as missing, and return what to say about the first."""
        try:
            with self._database.writing() as database:
                documents = {queries.existing(database, ref.document).id for ref in refs}
                forgotten = repair.forget_damaged(database, self._files, documents)
        except ThothError as obstacle:  # a read-only home, a full disk
            return DocumentError(f"{error}; it cannot be replaced: {obstacle}")
        if not forgotten:
            return DocumentError(f"{error}: ask again")
        remedy = f"`thoth docs update {forgotten[0].document}` absorbs it again"
        return DocumentError(f"{forgotten[0].path} is damaged: {remedy}")

    # Search

    def search(
        self, query: str, documents: Collection[str], limit: int, asked: str | None = None
    ) -> list[tuple[ChunkRef, float]]:
        """Return the absorbed chunks that share words with a query, best first, with their scores.

        Args:
            query: any text; a word that comes twice counts twice.
            documents: ids of those to search.
            limit: return so many at most.
            asked: the question that the query was made of. If given, scores are the mean of BM25 and of how near to
                each other its words stand; otherwise BM25 alone.
        """
        words = self._words.count(query)
        with self._database.reading() as database:
            scope = self._scope(database, documents)
            found = bm25.search(database, words, scope, limit)
            texts = queries.search_texts(database, scope.keys[found.places[:_READ]].tolist()) if asked else []
        matches = [(scope[place], score) for place, score in zip(found.places, found.scores, strict=True)]
        if not asked or not texts:
            return matches
        question, places = self._words.places(asked, texts)
        near = [proximity(question, each, found.weights) for each in places]
        near += [0.0] * (len(matches) - len(near))
        scored = [(ref, (score + more) / 2) for (ref, score), more in zip(matches, near, strict=True)]
        return sorted(scored, key=lambda one: -one[1])

    def absorbed(self, documents: Collection[str]) -> Sequence[ChunkRef]:
        """Return the absorbed chunks of the documents with these ids, in the order they came in."""
        with self._database.reading() as database:
            return self._scope(database, documents)

    def features(self, refs: Sequence[ChunkRef]) -> NDArray[np.float32]:
        """Return what the router compares a question with, (N, D) for N chunks.

        Raises:
            DocumentError: A chunk is not absorbed (any more).
            ThothError: Different bundles absorbed these chunks.
        """
        import numpy as np

        with self._database.reading() as database:
            vectors = [queries.features(database, ref) for ref in refs]
        if len(set(map(len, vectors))) > 1:
            raise ThothError(_DIFFERENT_MODELS)
        return np.stack(vectors)

    def marks(self, refs: Sequence[ChunkRef]) -> list[Marks | None]:
        """Return what the pair's matcher compares a question with, for each chunk.

        None for those whose pair has no matcher.

        Raises:
            DocumentError: A chunk is not absorbed (any more).
        """
        with self._database.reading() as database:
            return [queries.marks(database, ref) for ref in refs]

    def _scope(self, database: sqlite3.Connection, documents: Collection[str]) -> Scope:
        """Return what the router chooses among; the last one is kept in memory."""
        key = (queries.revision(database), frozenset(documents))
        kept = self._last  # one look: another thread may put another one there
        if kept is None or kept[0] != key:
            self._last = kept = (key, Scope(database, documents))
        return kept[1]

    def revision(self) -> int:
        """Return a number that changes whenever any process changes the library; 0 before there is one."""
        with self._database.reading() as database:
            return queries.revision(database)

    def stamp(self, id: str) -> Stamp | None:
        """Return the version of the file that a document was read from, if it is known."""
        with self._database.reading() as database:
            return queries.stamp(database, id)

    def damaged(self) -> list[repair.Damage]:
        """Return the files that are missing or not what was written; every byte of the adapters is read."""
        with self._database.reading() as database:
            return [*repair.damaged(database, self._files, [one.id for one in queries.listed(database)])]

    def spoiled_texts(self) -> list[StoredDocument]:
        """Return the documents whose stored text is missing or damaged: they cannot be absorbed again from it."""
        with self._database.reading() as database:
            return [*repair.spoiled_texts(database)]
