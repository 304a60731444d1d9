"""The hashes by which files are told apart."""
import hashlib

from kit.base.cli import UserError


def sha256_of(data):
    """The SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256(path):
    """The SHA-256 of a file in hexadecimal; UserError when it is not there."""
    return _digest(hashlib.sha256(), path)


def md5(path):
    """The MD5 of a file in hexadecimal, by which DVC names it; UserError when it is not there."""
    return _digest(hashlib.md5(), path)


def _digest(digest, path):
    try:
        with open(path, "rb") as file:
            for piece in iter(lambda: file.read(1 << 20), b""):
                digest.update(piece)
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror))
    return digest.hexdigest()
