"""The spool: records that could not be delivered yet, on the local disk.

One file per process, mode 0600, a line per report: the CRC-32 of the JSON, a blank, the JSON. A
writer opens its file for each append and holds its lock meanwhile, so that a reader can take the file
away by renaming it: what is renamed is whole and grows no more. A batch stays locked while it is
delivered; a reader that dies lets go of the lock, and delivering twice changes nothing.
A line that kill -9 tore has no valid checksum and was never acknowledged.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import secrets
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeledger.model.canonical import canonical_json
from pipeledger.model.errors import PipeledgerError
from pipeledger.model.report import Report, report_from_json
from pipeledger.model.report_table import ReportTable, each_report

log = logging.getLogger(__name__)

OPEN, BATCH, REJECTED = ".spool", ".batch", ".rejected"
_DROPPED = "dropped"
_TRIES = 100
ROTATE_BYTES = 64 * 1024
"""Where a process goes on with a new file: a batch is delivered, and held in memory, as a whole."""


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """What lies in the spool. ``dropped`` counts reports that did not fit, since the last purge."""

    folder: str
    files: int
    reports: int
    bytes: int
    rejected: int
    dropped: int
    oldest_seconds: float | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A report that the ledger refused, set aside with the reason."""

    report: dict[str, Any]
    error: str


class Spool:
    """A folder of waiting reports. Nothing is created before the first append."""

    def __init__(self, folder: Path, max_bytes: int = 256 * 1024 * 1024) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._pid = 0
        self._path = folder
        self._process = ""
        self._unchecked = 0
        self._uncounted = 0

    @property
    def own_file(self) -> Path:
        """The file this process appends to; a forked child gets its own."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._process = f"-{self._pid}-{secrets.token_hex(4)}"
            self._path = self._new_path()
            self._unchecked = self._max_bytes
            self._uncounted = 0
        return self._path

    def _new_path(self) -> Path:
        return self.folder / f"{time.time_ns():020d}{self._process}{OPEN}"

    def is_own(self, path: Path) -> bool:
        """Whether this process wrote that file, or a batch that was made of it."""
        _ = self.own_file
        return self._process in path.name

    def append(self, reports: Sequence[Report | ReportTable], *, durable: bool = True) -> bool:
        """Keep reports; ``durable`` waits until they would survive a power cut.

        False when they were not kept, because the spool or the disk is full; that is counted and
        logged. Raises nothing.
        """
        lines = b"".join(_line(canonical_json(report.to_json())) for report in reports)
        try:
            if not self._has_room(len(lines)):
                self._drop(
                    _count(reports), f"the spool {self.folder} is full ({self._max_bytes} bytes)"
                )
                return False
            try:
                size = self._write(self.own_file, lines, durable)
            except BlockingIOError:
                self._path = self._new_path()
                size = self._write(self._path, lines, durable)
            if size >= ROTATE_BYTES:
                self._path = self._new_path()
            if self._uncounted:
                self._count_dropped(0)
            return True
        except OSError as error:
            self._drop(
                _count(reports), f"the spool {self.folder} cannot be written: {error.strerror}"
            )
            return False

    def _write(self, path: Path, lines: bytes, durable: bool) -> int:
        """Append to a file; its size afterwards."""
        with _locked_for_append(path) as fd:
            size = os.fstat(fd).st_size
            try:
                written = 0
                while written < len(lines):
                    written += os.write(fd, lines[written:])
                if durable:
                    os.fsync(fd)
            except OSError:
                os.ftruncate(fd, size)
                raise
        if size == 0:
            self._reserve_counter()
            if durable:
                _sync_folder(path.parent)
        return size + len(lines)

    def _has_room(self, more: int) -> bool:
        """Whether the folder may take more bytes; looked at again after every hundredth of its size."""
        _ = self.own_file
        self._unchecked += more
        if self._unchecked * 100 >= self._max_bytes:
            if sum(size for _, size in self._entries()) + more > self._max_bytes:
                return False
            self._unchecked = 0
        return True

    def _drop(self, count: int, why: str) -> None:
        log.error("%d record(s) of this run are lost: %s", count, why)
        self._count_dropped(count)

    def _reserve_counter(self) -> None:
        """Take the counter's place on the disk while there is one: a full disk still takes new digits."""
        try:
            fd = os.open(self.folder / _DROPPED, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(fd, b"%020d" % 0)
            finally:
                os.close(fd)
        except OSError:
            pass  # it is there already, or will be counted later

    def _count_dropped(self, count: int) -> None:
        self._uncounted += count
        try:
            fd = os.open(self.folder / _DROPPED, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                total = int(os.read(fd, 32) or b"0") + self._uncounted
                os.pwrite(fd, b"%020d" % total, 0)
                self._uncounted = 0
            finally:
                os.close(fd)
        except (OSError, ValueError):
            pass  # with the next one that is kept; the log line has said it

    def _entries(self) -> list[tuple[Path, int]]:
        try:
            with os.scandir(self.folder) as entries:
                found = [
                    (Path(e.path), e.stat().st_size)
                    for e in entries
                    if e.name.endswith((OPEN, BATCH, REJECTED))
                ]
        except OSError:
            return []
        return sorted(found)

    def claim(self, *, only_own: bool = False) -> Iterator[Batch]:
        """Take away what waits, oldest first, one locked batch at a time."""
        candidates = [path for path, _ in self._entries() if path.suffix in (OPEN, BATCH)]
        for path in candidates:
            if only_own and not self.is_own(path):
                continue
            fd = _lock_if_free(path)
            if fd is None:
                continue
            try:
                if path.suffix == OPEN:
                    renamed = path.with_name(f"{path.stem}-{secrets.token_hex(4)}{BATCH}")
                    os.rename(path, renamed)
                    path = renamed
                yield Batch(self, path)
            except FileNotFoundError:
                continue
            finally:
                _release(fd)

    def set_aside(self, rejected: Sequence[Rejected]) -> None:
        """Keep refused reports apart, where they block nothing.

        They may fill a tenth of the spool: what is refused again and again must not take the room of
        what waits. Beyond that they are counted and logged.
        """
        lines = b"".join(
            _line(canonical_json({"report": r.report, "error": r.error})) for r in rejected
        )
        taken = sum(size for path, size in self._entries() if path.suffix == REJECTED)
        if taken + len(lines) > self._max_bytes // 10:
            self._drop(len(rejected), f"refused, and {self.folder} is full of refused records")
            return
        self._write(self.own_file.with_suffix(REJECTED), lines, True)

    def waiting(self) -> Iterator[Report]:
        """Every report that waits, oldest file first."""
        for path, _ in self._entries():
            if path.suffix in (OPEN, BATCH):
                yield from (r for r in _reports(path) if not isinstance(r, Rejected))

    def rejected(self) -> Iterator[Rejected]:
        """Every report that was set aside."""
        for path, _ in self._entries():
            if path.suffix == REJECTED:
                for data in _payloads(path):
                    if data is not None:
                        yield Rejected(dict(data["report"]), str(data["error"]))

    def status(self) -> SpoolStatus:
        entries = self._entries()
        waiting = [(path, size) for path, size in entries if path.suffix != REJECTED]
        ages = [time.time() - os.stat(p).st_mtime for p, _ in waiting if p.exists()]
        try:
            dropped = int((self.folder / _DROPPED).read_text() or "0")
        except (OSError, ValueError):
            dropped = 0
        return SpoolStatus(
            folder=str(self.folder),
            files=len(waiting),
            reports=sum(1 for _ in self.waiting()),
            bytes=sum(size for _, size in entries),
            rejected=sum(1 for _ in self.rejected()),
            dropped=dropped,
            oldest_seconds=max(ages, default=None),
        )

    def purge(self, *, waiting: bool = False) -> int:
        """Delete what was set aside and the count of what was dropped; also what waits, if told so."""
        doomed = [p for p, _ in self._entries() if waiting or p.suffix == REJECTED]
        count = sum(1 for path in doomed for data in _payloads(path) if data is not None)
        for path in [*doomed, self.folder / _DROPPED]:
            path.unlink(missing_ok=True)
        return count


@dataclass(frozen=True, slots=True)
class Batch:
    """A file of reports that nobody appends to any more, locked by us."""

    spool: Spool
    path: Path

    def reports(self) -> list[Report | Rejected]:
        return list(_reports(self.path))

    def done(self) -> None:
        self.path.unlink(missing_ok=True)


def _count(reports: Sequence[Report | ReportTable]) -> int:
    return sum(len(r.rows) if isinstance(r, ReportTable) else 1 for r in reports)


def _line(text: str) -> bytes:
    data = text.encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(data), data)


def _payloads(path: Path) -> Iterator[dict[str, Any] | None]:
    """The JSON of each line; None for a line that is torn or damaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    for line in content.split(b"\n"):
        if not line:
            continue
        try:
            if int(line[:8], 16) != zlib.crc32(line[9:]):
                raise ValueError("checksum")
            yield json.loads(line[9:])
        except ValueError:
            yield None


def _reports(path: Path) -> Iterator[Report | Rejected]:
    for data in _payloads(path):
        if data is None:
            log.warning("a torn line in %s was never acknowledged and is left out", path)
            continue
        for each in each_report(data):
            try:
                yield report_from_json(each)
            except PipeledgerError as error:
                yield Rejected(each, str(error))


@contextmanager
def _locked_for_append(path: Path) -> Iterator[int]:
    """The file, open and locked, and still the one of that name (a reader may have renamed it).

    Raises BlockingIOError when somebody keeps the file of that name locked.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    for _ in range(_TRIES):
        try:
            fd = os.open(path, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(path.parent, mode=0o700, exist_ok=True)
            continue
        try:
            # Not waiting for the lock: a reader that has renamed the file holds it while it delivers.
            if _try_lock(fd) and _is_same_file(fd, path):
                yield fd
                return
        finally:
            _release(fd)
        time.sleep(0.0005)
    raise BlockingIOError(errno.EWOULDBLOCK, "kept locked by another process", str(path))


def _release(fd: int) -> None:
    """Unlock, then close: a child forked meanwhile has the descriptor too, and closing ours alone would
    leave the lock to it for as long as it lives."""
    fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN):
            return False
        raise


def _lock_if_free(path: Path) -> int | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    if _try_lock(fd) and _is_same_file(fd, path):
        return fd
    _release(fd)
    return None


def _is_same_file(fd: int, path: Path) -> bool:
    try:
        return os.fstat(fd).st_ino == os.stat(path).st_ino
    except FileNotFoundError:
        return False


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
