"""The bytes of a log, whatever it is wrapped in, and its lines: gzip, xz, bzip2, zip, UTF-16."""
import bz2
import codecs
import itertools
import lzma
import os
import zipfile
import zlib

from kit.base.cli import UserError, progress

PIECE_BYTES = 1 << 17
LONGEST_LINE = 1 << 20  # bytes; a file without line ends is not a log
PACKED = (".gz", ".xz", ".bz2", ".zip")
BOMS = ((b"\xff\xfe\0\0", "utf-32-le"), (b"\0\0\xfe\xff", "utf-32-be"),
        (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_PACKERS = ((b"\x1f\x8b", lambda: _Inflater()), (b"\xfd7zXZ\0", lzma.LZMADecompressor),
            (b"BZh", bz2.BZ2Decompressor))


def file_pieces(path):
    """Bytes of a file, a hundred kilobytes at a time."""
    try:
        with open(path, "rb") as file:
            for piece in iter(lambda: file.read(PIECE_BYTES), b""):
                yield piece
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror))


def shown_pieces(path, task):
    """file_pieces with progress at the terminal."""
    size = os.path.getsize(path) if os.path.exists(path) else 0
    return progress(file_pieces(path), task, total=-(-size // PIECE_BYTES))


def zip_pieces(path):
    """Bytes of the one file in a zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            if len(names) != 1:
                raise UserError("%s holds %d files: unpack it into a folder, which is one log"
                                % (path, len(names)))
            with archive.open(names[0]) as file:
                for piece in iter(lambda: file.read(PIECE_BYTES), b""):
                    yield piece
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror or "a damaged zip file"))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError,
            lzma.LZMAError, ValueError) as error:
        raise UserError("%s cannot be unpacked: %s" % (path, error))


class _Inflater:
    """zlib's decompressor of gzip with the interface of those of lzma and bz2."""

    def __init__(self):
        self._zlib = zlib.decompressobj(31)

    def decompress(self, data, limit):
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, limit)

    needs_input = property(lambda self: not self._zlib.unconsumed_tail)
    eof = property(lambda self: self._zlib.eof)
    unused_data = property(lambda self: self._zlib.unused_data)


def unpacked(name, pieces):
    """The pieces, unpacked where their first bytes are those of gzip, xz or bzip2."""
    start, pieces = start_of(pieces, 6)
    packers = [make for magic, make in _PACKERS if start.startswith(magic)]
    if start.startswith(b"PK\3\4"):
        raise UserError("%s is a zip archive, which a pipe cannot read: unpack it first" % name)
    return _unpacked(name, pieces, packers[0]) if packers else pieces


def _unpacked(name, pieces, make):
    packer = make()
    try:
        for piece in pieces:
            while piece or not packer.needs_input:
                if packer.eof:  # another member follows, or padding
                    piece = piece.lstrip(b"\0")
                    if not piece:
                        break
                    packer = make()
                data = packer.decompress(piece, 8 * PIECE_BYTES)
                piece = packer.unused_data if packer.eof else b""
                if data:
                    yield data
                if packer.eof and not piece:
                    break
    except (zlib.error, OSError, EOFError, ValueError, lzma.LZMAError) as error:
        raise UserError("%s cannot be unpacked: %s" % (name, error))
    if not packer.eof:
        raise UserError("%s cannot be unpacked: it breaks off" % name)


def start_of(pieces, count):
    """(the first bytes, at least `count` unless there are fewer; the pieces with them)."""
    pieces, start = iter(pieces), b""
    while len(start) < count:
        piece = next(pieces, None)
        if piece is None:
            break
        start += piece
    return start, itertools.chain([start] if start else [], pieces)


def lines(name, pieces):
    """Lists of whole lines, as they come; bytes that are no UTF-8 survive as surrogates."""
    rest = b""
    for piece in _as_utf8(name, unpacked(name, pieces)):
        if b"\0" in piece:
            raise UserError("%s holds zero bytes: a binary file, not a CSV file" % name)
        rest += piece
        end = rest.rfind(b"\n") + 1
        if end:
            yield rest[:end].decode("utf-8", "surrogateescape").split("\n")[:-1]
            rest = rest[end:]
        elif len(rest) > LONGEST_LINE:
            raise UserError("%s is not a CSV file: a line is longer than a megabyte" % name)
    if rest:
        yield [rest.decode("utf-8", "surrogateescape")]


def _as_utf8(name, pieces):
    """The pieces without a byte order mark; UTF-16 and UTF-32 become UTF-8."""
    start, pieces = start_of(pieces, 4)
    encoding = next((encoding for bom, encoding in BOMS if start.startswith(bom)), None)
    if encoding is None and len(start) > 3 and 0 in start[:4]:  # a letter of ASCII is half zero
        odd, even = start[1:40:2], start[0:40:2]
        encoding = ("utf-16-le" if not any(odd) and all(even) else
                    "utf-16-be" if not any(even) and all(odd) else None)
    if encoding is None:
        first = next(pieces, b"")
        return itertools.chain([first[3:] if first.startswith(b"\xef\xbb\xbf") else first], pieces)
    return _decoded(name, pieces, encoding)


def _decoded(name, pieces, encoding):
    decoder, first = codecs.getincrementaldecoder(encoding)(), True
    try:
        for piece in itertools.chain(pieces, [b""]):
            text = decoder.decode(piece, final=not piece)
            yield (text.lstrip("\ufeff") if first else text).encode("utf-8", "surrogateescape")
            first = first and not text
    except UnicodeError as error:
        raise UserError("%s is not the %s that it begins as: %s"
                        % (name, encoding[:6].upper(), error.reason))
