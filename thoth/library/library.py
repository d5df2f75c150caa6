"""Everything that was absorbed, on disk: `library.db`, and the adapters of chunks under `documents/`.

A document comes in with its text and chunks at once (`begin`), and batch by batch with its adapters (`store`): what
`store` reported is never lost, and what is missing is absorbed another time. Any method may be called from any thread,
and several processes may use one library. They need no lock but SQLite's: whoever changes files holds it meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from thoth.errors import ResourceError, UsageError
from thoth.ingest import Document
from thoth.ingest.names import shown
from thoth.ingest.stamps import Stamp
from thoth.library import collections, queries, repair
from thoth.library.adapters import split
from thoth.library.reading import LibraryReader
from thoth.library.records import StoredDocument, document_ids
from thoth.system import disk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlx_hypernet.adapter import ChunkAdapters
    from mlx_hypernet.marks import Marks
    from thoth.ingest.chunks import Chunk


class Library(LibraryReader):
    """The documents of one Thoth home, which is made when the first one is stored.

    All errors are `ThothError`s: a `DocumentError` for a document that is not there, a `ResourceError` for a full
    disk; a damaged database is explained, and a copy of it kept.

    Args:
        home: the folder, usually `paths.home()`.
        recent_bytes: adapters kept in memory.
    """

    # Absorbing

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
        kept: tuple[str, ...] = ()
        with self._database.writing() as database:
            if (stored := queries.found_first(database, ids)) is not None:
                texts = [chunk.text for chunk in queries.chunks(database, stored.id)]
                if stored.complete or texts == [chunk.text for chunk in chunks]:
                    return stored
                queries.delete(database, stored.id)
                new = replace(new, name=stored.name, active=stored.active, of_chat=stored.of_chat)
                kept = stored.collections
            disk.require_room(self._home, 6 * len(document.text))  # whole, in chunks, as it is searched, in the index
            queries.insert(database, new, document, chunks)
            for name in kept:
                collections.add(database, name, [new.id])
            return replace(new, collections=kept)

    def store(
        self,
        id: str,
        numbers: Sequence[int],
        adapters: ChunkAdapters,
        features: NDArray[Any],
        marks: Sequence[Marks] | None = None,
    ) -> StoredDocument:
        """Keep the adapters of some chunks; they are on the disk when this returns. On the thread that owns MLX.

        Args:
            id: of the document.
            numbers: of the chunks; one that another process stored meanwhile stays as it is.
            adapters: of these chunks, in this order.
            features: (chunks, D), what the router compares a question with.
            marks: of these chunks, what the pair's matcher compares a question with; None where it has none.

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
                queries.insert_adapter(database, keys[numbers[i]], receipt, features[i], marks[i] if marks else None)
            writer.sync()
            queries.update_sums(database, id)
            return queries.existing(database, id)

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
            UsageError: The name is empty.
            DocumentError: The document is not there.
        """
        if not name.strip():
            raise UsageError("the name of a document needs at least one letter")
        with self._database.writing() as database:
            queries.existing(database, id)
            queries.update(database, [id], name=shown(name.strip()))
            return queries.existing(database, id)

    def set_loss(self, id: str, loss: float, readable: bool) -> None:
        """Note how well the base reads a document: its loss in nats a token, and whether that is low enough."""
        with self._database.writing() as database:
            queries.existing(database, id)
            queries.update(database, [id], loss=loss, readable=readable)

    def set_questions(self, id: str, questions: Sequence[str]) -> None:
        """Keep the questions that were written for a document, in place of earlier ones."""
        with self._database.writing() as database:
            queries.existing(database, id)
            queries.set_questions(database, id, questions)

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

    def tag(self, name: str, ids: Collection[str]) -> str:
        """Put documents into a collection, which is made where there is none; returns its name as it is stored.

        Raises:
            UsageError: The name is empty, or more than one line.
            DocumentError: A document is not there.
        """
        with self._database.writing() as database:
            for id in ids:
                queries.existing(database, id)
            return collections.add(database, name, ids)

    def untag(self, name: str, ids: Collection[str]) -> None:
        """Take documents out of a collection; without documents it is no more. The documents stay.

        Raises:
            DocumentError: There is no such collection.
        """
        with self._database.writing() as database:
            collections.take(database, name, ids)

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
            collections.copy(database, old, new)
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

    def repair(self) -> list[str]:
        """Repair what crashes and broken disks leave; returns what was done, a line each."""
        return repair.repair(self._database, self._files)
