"""SHA-256 of files and bytes, against the published value of "abc" (FIPS 180-2, B.1)."""
import pytest

from kit.base.cli import UserError
from kit.base.digest import sha256, sha256_of

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_bytes_and_a_file_of_them_have_one_digest(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(b"abc") == sha256(str(tmp_path / "abc")) == ABC


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="nothing: No such file"):
        sha256(str(tmp_path / "nothing"))
