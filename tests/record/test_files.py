"""The bytes of a log in whatever it is wrapped, and its lines, however they arrive."""
import bz2
import gzip
import io
import lzma
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from kit.base.cli import UserError
from kit.record import files

TEXT = "t,a\n2020-01-06T00:00:00,1.5 \u00b0C\n\nlast, without an end"


def lines_of(content, cut=7):
    pieces = (content[i:i + cut] for i in range(0, len(content), cut))
    return [line for some in files.lines("plant.csv", pieces) for line in some]


PACKERS = [bytes, gzip.compress, lzma.compress, bz2.compress,
           lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]),
           lambda data: gzip.compress(data) + b"\0" * 20]


@pytest.mark.parametrize("pack", PACKERS)
@pytest.mark.parametrize("cut", [1, 5, 1 << 16])
def test_packed_logs_have_the_lines_of_the_plain_one(pack, cut):
    assert lines_of(pack(TEXT.encode()), cut) == TEXT.split("\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("cut", [1, 3, 1 << 16])
def test_encodings_are_told_by_their_first_bytes(encoding, cut):
    assert lines_of(TEXT.encode(encoding), cut) == TEXT.split("\n")


def test_bytes_that_are_no_utf_8_survive():
    assert lines_of(b"a\n1\xb0\n") == ["a", "1\udcb0"]


@settings(deadline=None)
@given(strategies.text("ab,\r\n\u00b0\u20ac", max_size=60), strategies.integers(1, 70))
def test_lines_are_whole_however_they_are_cut(text, cut):
    expected = text[:-1].split("\n") if text.endswith("\n") else text.split("\n") if text else []
    assert lines_of(text.encode(), cut) == expected


def test_a_large_packed_log_is_unpacked_in_pieces():
    sizes = [sum(map(len, some)) for some in files.lines("p", [gzip.compress(b"1234567\n" * 1000000)])]
    assert sum(sizes) == 7000000 and max(sizes) <= 8 * files.PIECE_BYTES


@pytest.mark.parametrize("content, words", [
    ("t,a\n2020,1\n".encode("utf-16")[:-1], "is not the UTF-16 that it begins as"),
    (b"\x1f\x8b\x08\x00\x00\x00abc\n", "cannot be unpacked"),
    (gzip.compress(b"t,a\n2020-01-06,1\n")[:-9], "cannot be unpacked: it breaks off"),
    (b"t,a\n2020-01-06,\0\n", "holds zero bytes: a binary file"),
    (b"PK\3\4\n", "is a zip archive, which a pipe cannot read"),
    (b"x" * 1500000, "a line is longer than a megabyte"),
])
def test_what_is_no_text_is_named_in_one_sentence(content, words):
    with pytest.raises(UserError, match="^plant.csv " + ".*" + words) as error:
        lines_of(content, 1 << 16)
    assert "\n" not in str(error.value)


def zipped(*contents):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", b"")
        for number, content in enumerate(contents):
            archive.writestr("folder/%d.csv" % number, content)
    return file.getvalue()


def test_a_zip_archive_of_one_file_is_that_file(tmp_path):
    path = tmp_path / "log.zip"
    path.write_bytes(zipped(TEXT.encode()))
    assert b"".join(files.zip_pieces(str(path))) == TEXT.encode()
    path.write_bytes(zipped(b"a", b"b"))
    with pytest.raises(UserError, match="log.zip holds 2 files: unpack it into a folder"):
        list(files.zip_pieces(str(path)))


@pytest.mark.parametrize("content", [gzip.compress(TEXT.encode()), lzma.compress(TEXT.encode()),
                                     bz2.compress(TEXT.encode()), zipped(TEXT.encode()), TEXT.encode()])
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=strategies.data())
def test_a_damaged_file_is_read_or_refused_in_one_sentence(tmp_path, content, data):
    damaged = bytearray(content)
    for _ in range(data.draw(strategies.integers(1, 4))):
        damaged[data.draw(strategies.integers(0, len(content) - 1))] = data.draw(
            strategies.integers(0, 255))
    path = tmp_path / "plant.csv"
    path.write_bytes(bytes(damaged[:data.draw(strategies.integers(0, len(content)))]))
    pieces = files.zip_pieces if content.startswith(b"PK") else files.file_pieces
    try:
        list(files.lines(str(path), pieces(str(path))))
    except UserError as error:
        assert "plant.csv" in str(error) and "\n" not in str(error)


def test_reading_a_file_shows_how_far_it_is(tmp_path, monkeypatch):
    path = tmp_path / "plant.csv"
    path.write_bytes(b"1\n" * 200000)
    seen = []
    monkeypatch.setattr(files, "progress", lambda pieces, desc, total: seen.append(
        (desc, total)) or pieces)
    pieces = list(files.shown_pieces(str(path), "generate"))
    assert seen == [("generate", len(pieces))] == [("generate", 4)]
    assert b"".join(pieces) == b"1\n" * 200000


def test_a_file_that_is_not_there_is_named():
    for pieces in (files.file_pieces, files.zip_pieces):
        with pytest.raises(UserError, match="nowhere.csv: No such file"):
            list(pieces("nowhere.csv"))


@pytest.mark.parametrize("pieces, start", [([b"ab", b"cd", b"e"], b"abcd"), ([b"ab"], b"ab"), ([], b"")])
def test_looking_at_the_start_takes_nothing_away(pieces, start):
    found, rest = files.start_of(pieces, 3)
    assert found == start and b"".join(rest) == b"".join(pieces)
