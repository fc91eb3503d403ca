"""Keep the files of one index true: flushed to the disk and hashed before they count, and read only when the hash is right.

Whoosh never calls fsync and trusts what it reads (docs/decisions/0005-index-kept-true.md). Its table of contents (TOC) is the file
that makes a commit count, by being renamed. ``Shelf`` stands in that moment: every new file is flushed, a manifest with the SHA-256
of all files is written and flushed, and only then the table of contents gets its name. There is no moment without a manifest.
"""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from whoosh.filedb.filestore import FileStorage
from whoosh.filedb.structfile import BufferFile
from whoosh.index import FileIndex

from kb.errors import Busy
from kb.search import fields

NAME = "MAIN"
_TOC = re.compile(rf"_{NAME}_([0-9]+)\.toc")

Signature = tuple[tuple[str, int, int, int], ...]


class Damaged(Busy):
    """Say that an index can not be trusted and has to be built again; the message names no text."""


class Shelf(FileStorage):  # type: ignore[misc] # Whoosh has no type information
    """The files of one index, each checked against the manifest when it is opened, and then held in memory.

    Holding them instead of mapping them into memory means that what was checked is what is read, however the disk changes later.
    """

    def __init__(self, folder: Path, manifest: dict[str, str]) -> None:
        super().__init__(str(folder), supports_mmap=False)
        self.path = folder
        self.manifest = manifest

    def open_file(self, name: str, **options: Any) -> Any:
        """Open a file; what makes up a commit only when its hash is right.

        Raises:
            Damaged: when it is missing from the manifest or differs from it.
        """
        if not name.endswith((".toc", ".seg")):
            return super().open_file(name, **options)  # parts of a segment that is being written
        try:
            data = (self.path / name).read_bytes()
        except OSError as error:
            raise Damaged("a file is missing or can not be read") from error
        if hashlib.sha256(data).hexdigest() != self.manifest.get(name):
            raise Damaged("a file differs from the manifest")
        return BufferFile(data, name=name)

    def rename_file(self, oldname: str, newname: str, safe: bool = False) -> None:
        """Give a file its final name; the table of contents only when everything it stands for is safely on the disk."""
        if newname.endswith(".toc"):
            self._seal(oldname, newname)
        else:
            super().rename_file(oldname, newname, safe)

    def _seal(self, written: str, toc: str) -> None:
        sums = {toc: _sum(self.path / written)}
        fsync(self.path / written)
        for file in self.path.glob("*.seg"):
            if file.name not in self.manifest:  # segments never change, so an old sum stays right
                fsync(file)
            sums[file.name] = self.manifest.get(file.name) or _sum(file)
        replace(self.path / _manifest(toc), json.dumps(sums).encode())
        (self.path / written).replace(self.path / toc)
        fsync(self.path)
        self.manifest = sums


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _manifest(toc: str) -> str:
    return f"{toc}.sha256"


def fsync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(path: Path, data: bytes) -> None:
    """Write a small file so that after a crash it is the old or the new one, never a part."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    fsync(part)
    part.replace(path)
    fsync(path.parent)


def create(folder: Path) -> Any:
    """Create an empty index in a new folder and return it (``whoosh.index.FileIndex``)."""
    folder.mkdir(mode=0o700)
    return FileIndex.create(Shelf(folder, {}), fields.schema(), NAME)


def newest(folder: Path) -> Path:
    """Return the table of contents of the newest commit.

    Raises:
        Damaged: when there is none.
    """
    try:
        found = {int(match.group(1)): path for path in folder.iterdir() if (match := _TOC.fullmatch(path.name))}
    except OSError as error:
        raise Damaged("a folder of the index can not be read") from error
    if not found:
        raise Damaged("the table of contents is missing")
    return found[max(found)]


def open_index(folder: Path) -> Any:
    """Open an index whose table of contents agrees with its manifest (``whoosh.index.FileIndex``).

    Raises:
        Damaged: when anything is wrong with it.
    """
    toc = newest(folder)
    try:
        manifest = json.loads((folder / _manifest(toc.name)).read_bytes())
        return FileIndex(Shelf(folder, dict(manifest)), indexname=NAME)
    except Damaged:
        raise
    except Exception as error:  # damage shows as any of a dozen exceptions
        raise Damaged(f"an index can not be opened: {type(error).__name__}") from error


def open_reader(index: Any) -> Any:
    """Open a fresh reader of an index (``whoosh.reading.IndexReader``); every file it uses is checked.

    Readers are never brought up to date: Whoosh's ``refresh`` goes on finding what was deleted.

    Raises:
        Damaged: when anything is wrong with a segment.
    """
    try:
        reader = index.reader()
        for leaf, _ in reader.leaf_readers():
            # Lazily opened columns are opened now, while the file is known to be right.
            leaf.stored_fields(0)
            for name in leaf.schema.scorable_names():
                leaf.doc_field_length(0, name)
    except Damaged:
        raise
    except Exception as error:
        raise Damaged(f"a segment can not be opened: {type(error).__name__}") from error
    return reader


def tidy(index: Any) -> None:
    """Remove what does not belong to the newest commit: leftovers of writers that were killed hold text.

    Only the process that holds the lock of the indexes may call it.
    """
    folder: Path = index.storage.path
    toc = newest(folder).name
    keep = {toc, _manifest(toc), f"{NAME}_WRITELOCK", *(segment.make_filename(".seg") for segment in index._segments())}
    for path in folder.iterdir():
        if path.name not in keep:
            remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def signature(folder: Path) -> Signature:
    """Return a cheap sign of the state of all files; it changes when somebody writes to one, not when a disk forgets a bit."""
    try:
        found = [(entry.name, entry.stat(follow_symlinks=False)) for entry in os.scandir(folder)]
    except OSError:
        return ()
    return tuple(sorted((name, stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in found))


def forget_old(folder: Path) -> None:
    """Remove the manifests of commits before the newest."""
    keep = _manifest(newest(folder).name)
    for path in folder.glob("*.sha256"):
        if path.name != keep:
            path.unlink(missing_ok=True)
