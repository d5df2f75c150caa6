"""Everything that was absorbed, on disk: `library.db`, and the adapters of chunks under `documents/`.

A document comes in with its text and chunks at once (`begin`), and batch by batch with its adapters (`store`): what
`store` reported is never lost, and what is missing is absorbed another time. Any method may be called from any thread,
and several processes may use one library. They need no lock but SQLite's: whoever changes files holds it meanwhile.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thoth.errors import DocumentError, ResourceError, ThothError
from thoth.ingest import Document
from thoth.ingest.names import shown
from thoth.ingest.stamps import Stamp
from thoth.library import bm25, queries, repair
from thoth.library.adapters import AdapterFiles, DamagedError, Pairs, join, split
from thoth.library.proximity import proximity
from thoth.library.records import ChunkRef, StoredChunk, StoredDocument, document_ids, known_as
from thoth.library.schema import SCHEMA
from thoth.library.scope import Scope
from thoth.library.words import Words
from thoth.system import disk
from thoth.system.sqlite import Database

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlx_hypernet.adapter import ChunkAdapters
    from thoth.ingest.chunks import Chunk

_PREFIX_LETTERS = 4
# Chunks that are read for a question: what BM25 ranks lower is not the best either. With 64 one question in 2,000 is
# found that is not with these.
_READ = 32

# Adapters kept in memory: about 100 chunks of a 3B model, all of nano's.
_RECENT_BYTES = 512 << 20

_DIFFERENT_MODELS = "different models absorbed these documents: `thoth docs update` absorbs them with this one"


class Library:
    """The documents of one Thoth home, which is made when the first one is stored.

    All errors are `ThothError`s: a `DocumentError` for a document that is not there, a `ResourceError` for a full
    disk; a damaged database is explained, and a copy of it kept.

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

    # Absorbing

    def find(self, sha256: str, bundle: str, chunking: str) -> StoredDocument | None:
        """Return the document with this text, if the bundle has absorbed it or begun to."""
        with self._database.reading() as database:
            return queries.found_first(database, document_ids(sha256, bundle, chunking))

    def begin(
        self,
        document: Document,
        bundle: str,
        chunking: str,
        chunks: Sequence[Chunk],
        source: str | None,
        *,
        of_chat: bool = False,
    ) -> StoredDocument:
        """Take in a document and its chunks, none of them absorbed yet; it is active unless it is a chat's.

        If it is there already, complete or not, it is returned as it is. An incomplete one that was cut in another way,
        by an older Thoth, begins again.

        Raises:
            ResourceError: The disk is full; the library is as before.
        """
        ids = document_ids(document.sha256, bundle, chunking)
        new = StoredDocument(
            id=ids[0],
            name=shown(document.name),
            source=source,
            bundle=bundle,
            chunking=chunking,
            complete=False,
            active=not of_chat,
            pages=document.pages,
            chunks=len(chunks),
            absorbed=0,
            tokens=sum(len(chunk.ids) for chunk in chunks),
            bytes=0,
            added=datetime.now(UTC),
            of_chat=of_chat,
        )
        with self._database.writing() as database:
            if (stored := queries.found_first(database, ids)) is not None:
                texts = [chunk.text for chunk in queries.chunks(database, stored.id)]
                if stored.complete or texts == [chunk.text for chunk in chunks]:
                    return stored
                queries.delete(database, stored.id)
                new = replace(new, name=stored.name, active=stored.active, of_chat=stored.of_chat)
            disk.require_room(self._home, 6 * len(document.text))  # whole, in chunks, as it is searched, in the index
            queries.insert(database, new, document, chunks)
            return new

    def missing(self, id: str) -> list[int]:
        """Return the numbers of the chunks that are not absorbed yet."""
        with self._database.reading() as database:
            queries.existing(database, id)
            return [*queries.missing(database, id)]

    def store(self, id: str, numbers: Sequence[int], adapters: ChunkAdapters, features: NDArray[Any]) -> StoredDocument:
        """Keep the adapters of some chunks; they are on the disk when this returns. On the thread that owns MLX.

        Args:
            id: of the document.
            numbers: of the chunks; one that another process stored meanwhile stays as it is.
            adapters: of these chunks, in this order.
            features: (chunks, D), what the router compares a question with.

        Raises:
            DocumentError: The document was removed meanwhile.
            ResourceError: The disk is full; the library is as before.
        """
        chunks, bias = split(adapters)
        if not len(numbers) == len(chunks) == len(features):
            raise ValueError(f"{len(numbers)} chunks, {len(chunks)} adapters and {len(features)} features do not match")
        writer = self._files.writer(id)
        with self._database.writing(undo=writer.take_back) as database:
            bundle = queries.existing(database, id).bundle
            keys = queries.missing(database, id)
            new = [i for i, number in enumerate(numbers) if number in keys]
            writer.require_room([bias, *(chunks[i] for i in new)])
            if queries.bias(database, bundle) is None:
                queries.insert_bias(database, bundle, writer.write_bias(bundle, bias))
            for i in new:
                receipt = writer.write_chunk(numbers[i], chunks[i])
                queries.insert_adapter(database, keys[numbers[i]], receipt, features[i])
            writer.sync()
            queries.update_sums(database, id)
            return queries.existing(database, id)

    # Reading

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

    def get(self, name: str) -> StoredDocument:
        """Return a document by its id, by its name, or by the first letters of its id, four or more.

        Raises:
            DocumentError: None or several documents are meant.
        """
        name = shown(name)
        ways = ["id = ?", "name = ?", "substr(id, 1, length(?1)) = ?1"][: 3 if len(name) >= _PREFIX_LETTERS else 2]
        with self._database.reading() as database:
            for way in ways:
                documents = queries.listed(database, way, name)
                if len(documents) == 1:
                    return documents[0]
                if documents:
                    ids = ", ".join(document.id for document in documents[:5])
                    raise DocumentError(f"{len(documents)} documents are meant by {name}: say which by its id ({ids})")
        raise DocumentError(f"there is no document {name} in the library: see `thoth docs list`")

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
                raise DocumentError(f"document {ref.document} has no chunk {ref.number}")
            return chunks[0]

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

    # Changing

    def set_source(self, id: str, source: str, stamp: Stamp | None) -> None:
        """Say where the file of a document is now, and which version it is; a name that was the file's goes with it."""
        with self._database.writing() as database:
            before = queries.existing(database, id)
            queries.set_source(database, id, source, stamp)
            if before.source is not None and before.name == shown(os.path.basename(before.source)):
                queries.update(database, [id], name=shown(os.path.basename(source)))

    def rename(self, id: str, name: str) -> StoredDocument:
        """Give a document another name; two may have the same.

        Raises:
            DocumentError: The name is empty, or the document is not there.
        """
        if not name.strip():
            raise DocumentError("the name of a document needs at least one letter")
        with self._database.writing() as database:
            queries.existing(database, id)
            queries.update(database, [id], name=shown(name.strip()))
            return queries.existing(database, id)

    def set_loss(self, id: str, loss: float, readable: bool) -> None:
        """Note how well the base reads a document: its loss in nats a token, and whether that is low enough."""
        with self._database.writing() as database:
            queries.existing(database, id)
            queries.update(database, [id], loss=loss, readable=readable)

    def activate(self, ids: Collection[str], active: bool) -> None:
        """Let documents be used for answers, or not; one of a chat that is activated becomes one of the library.

        Where nothing changes, nothing is written.
        """
        with self._database.reading() as database:
            found = [queries.existing(database, id) for id in ids]
        if all(one.active == active and not (active and one.of_chat) for one in found):
            return
        with self._database.writing() as database:
            for id in ids:
                queries.existing(database, id)
            queries.update(database, ids, active=active, **({"of_chat": False} if active else {}))

    def remove(self, id: str) -> None:
        """Remove a document and its adapters; one that is gone already is no fault.

        Raises:
            ResourceError: The disk is full, and the adapters took too little of it to make room.
        """
        try:
            self._remove_rows(id)
        except ResourceError:
            # No room for SQLite's log: the adapters make some. After a crash here they are missing, not wrong.
            with self._database.writing():
                self._files.remove(id)
            self._remove_rows(id)
        self._remove_files(id)

    def supersede(self, old: str, new: str) -> None:
        """Let the new version of a document take the old one's place: its name, and whether it is active."""
        if old == new:
            return
        with self._database.writing() as database:
            before = queries.existing(database, old)
            queries.existing(database, new)
            queries.update(database, [new], name=before.name, active=before.active)
            queries.delete(database, old)
        self._remove_files(old)

    def _remove_rows(self, id: str) -> None:
        with self._database.writing() as database:
            queries.delete(database, id)

    def _remove_files(self, id: str) -> None:
        # Rows first: a crash in between leaves files nobody asks for, never a document without its files.
        with self._database.writing() as database:
            if queries.found(database, id) is None:  # no process has begun to absorb it again
                self._files.remove(id)
        self._database.empty_log()

    def damaged(self) -> list[repair.Damage]:
        """Return the files that are missing or not what was written; every byte of the adapters is read."""
        with self._database.reading() as database:
            return [*repair.damaged(database, self._files, [one.id for one in queries.listed(database)])]

    def spoiled_texts(self) -> list[StoredDocument]:
        """Return the documents whose stored text is missing or damaged: they cannot be absorbed again from it."""
        with self._database.reading() as database:
            return [*repair.spoiled_texts(database)]

    def repair(self) -> list[str]:
        """Repair what crashes and broken disks leave; returns what was done, a line each."""
        return repair.repair(self._database, self._files)
