"""Artifacts shared through a DVC remote, a folder and an SSH server: the same bytes at the other end.

The server is asyncssh's, from DVC's own environment, on this machine's loopback.
"""
import hashlib
import os
import socket
import subprocess

import pytest

from conftest import DVC, ROOT, outputs, sh

pytestmark = pytest.mark.slow

SERVER = """
import asyncio, asyncssh, sys
port, host_key, user_key = int(sys.argv[1]), sys.argv[2], sys.argv[3]
for name in (host_key, user_key):
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(name)
    key.write_public_key(name + ".pub")
async def serve():
    await asyncssh.listen("127.0.0.1", port, server_host_keys=[host_key],
                          authorized_client_keys=user_key + ".pub", sftp_factory=True)
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(serve())
"""


@pytest.fixture
def server(tmp_path):
    """(url of an empty folder, name of the key file) of an SSH server that stops after the test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    key = str(tmp_path / "user_key")
    process = subprocess.Popen(
        [os.path.join(ROOT, ".venv-dvc", "bin", "python"), "-c", SERVER, str(port),
         str(tmp_path / "host_key"), key], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    yield "ssh://kit@127.0.0.1:%d%s/store" % (port, tmp_path), key
    process.terminate()
    process.wait()


def pulled(built, folder, url, key=None):
    """Push from the built tree, clone it elsewhere, pull there; the clone's folder."""
    work, clone = folder / "work", folder / "clone"
    sh(folder, "git", "clone", "-q", str(built), str(work))
    for place in (work, clone):
        if place is clone:
            sh(folder, "git", "clone", "-q", str(built), str(clone))
        sh(place, DVC, "remote", "add", "--local", "-d", "store", url)
        if key:
            sh(place, DVC, "remote", "modify", "--local", "store", "keyfile", key)
        if place is work:
            sh(work, DVC, "cache", "dir", "--local", str(built / ".dvc" / "cache"))
            sh(work, DVC, "push")
    sh(clone, DVC, "pull")
    return clone


def check(clone, built):
    """Every output of the built tree stands in the clone with the hash that dvc.lock names."""
    for path, md5 in outputs(built).items():
        with open(str(clone / path), "rb") as file:
            assert hashlib.md5(file.read()).hexdigest() == md5, path
    os.symlink(os.path.join(ROOT, ".venv"), str(clone / ".venv"))
    assert "Running stage" not in sh(clone, DVC, "repro")


def test_a_folder(built, tmp_path):
    check(pulled(built, tmp_path, str(tmp_path / "store")), built)


def test_an_ssh_server(built, tmp_path, server):
    check(pulled(built, tmp_path, *server), built)
