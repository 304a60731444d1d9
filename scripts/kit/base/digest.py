"""The SHA-256 by which files are told apart."""
import hashlib

from kit.base.cli import UserError


def sha256_of(data):
    """The SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256(path):
    """The SHA-256 of a file in hexadecimal, read in pieces; UserError when it is not there."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for piece in iter(lambda: file.read(1 << 20), b""):
                digest.update(piece)
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror))
    return digest.hexdigest()
