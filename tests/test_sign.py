"""Signatures of statements: who counts, what a change of one byte does, k of n."""
import base64
import hashlib
import json
import os
import shutil
import subprocess

import pytest

from conftest import ROOT, set_up

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def environment():
    set_up("sign")


@pytest.fixture
def signed(tmp_path):
    """Two products and their statements; the keys of alice, bob and carol; alice has signed."""
    statements = []
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("bytes of " + name)
        digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        statements.append(json.dumps({"subject": [{"name": name, "digest": {"sha256": digest}}]}))
    (tmp_path / "statements.jsonl").write_text("\n".join(statements) + "\n")
    for who in ("alice", "bob", "carol"):
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", who + ".pem"],
                       cwd=str(tmp_path), check=True)
        subprocess.run(["openssl", "pkey", "-in", who + ".pem", "-pubout", "-out", who + ".pub"],
                       cwd=str(tmp_path), check=True)
    assert add(tmp_path, "alice")[0] == 0
    return tmp_path


def sign(folder, *words):
    """(exit status, what was said) of scripts/sign.py."""
    done = subprocess.run(["sh", os.path.join(ROOT, "scripts", "run"), "sign"] + list(words),
                          cwd=str(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True)
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout


def add(folder, who, *more):
    return sign(folder, "add", "statements.jsonl", "--key", who + ".pem", "--out", "signed.jsonl",
                *more)


def check(folder, name, *keys, at_least=1):
    return sign(folder, "check", name, "--signed", "signed.jsonl", "--at-least", str(at_least),
                "--keys", *keys)


def test_two_of_three_have_signed(signed):
    add(signed, "bob")
    everyone = ["alice.pub", "bob.pub", "carol.pub"]
    assert [check(signed, "b.txt", *everyone, at_least=count)[0] for count in (1, 2, 3)] == [0, 0, 1]
    assert "2 of 3 keys, 2 asked for: alice.pub, bob.pub" in check(
        signed, "b.txt", *everyone, at_least=2)[1]
    assert check(signed, "b.txt", "carol.pub")[0] == 1


def test_one_key_given_twice_is_one(signed):
    shutil.copy(str(signed / "alice.pub"), str(signed / "alias.pub"))
    status, said = check(signed, "a.txt", "alice.pub", "alias.pub", at_least=2)
    assert status == 1 and "only 1 key given" in said


def test_another_byte_is_signed_by_nobody(signed):
    (signed / "a.txt").write_text("bytes of A.txt")
    assert check(signed, "a.txt", "alice.pub")[0] == 1
    assert check(signed, "b.txt", "alice.pub")[0] == 0


def test_an_altered_statement_has_no_signature(signed):
    (signed / "a.txt").write_text("other bytes")
    other = hashlib.sha256((signed / "a.txt").read_bytes()).hexdigest()
    lines = [json.loads(line) for line in (signed / "signed.jsonl").read_text().splitlines()]
    statement = json.loads(base64.b64decode(lines[0]["payload"]))
    statement["subject"][0]["digest"]["sha256"] = other
    lines[0]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    (signed / "signed.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert check(signed, "a.txt", "alice.pub")[0] == 1
    assert check(signed, "b.txt", "alice.pub")[0] == 0


def test_nobody_signs_what_was_not_made_here(signed):
    (signed / "a.txt").write_text("not made here")
    status, said = add(signed, "bob")
    assert status == 1 and "a.txt is not what statements.jsonl says of it" in said
    assert check(signed, "b.txt", "bob.pub")[0] == 1


def test_signatures_of_others_are_taken_in_and_a_second_one_of_a_key_changes_nothing(signed):
    (signed / "signed.jsonl").rename(signed / "of_alice.jsonl")
    add(signed, "bob", "--others", "of_alice.jsonl")
    assert check(signed, "a.txt", "alice.pub", "bob.pub", at_least=2)[0] == 0
    before = (signed / "signed.jsonl").read_bytes()
    add(signed, "bob")
    assert (signed / "signed.jsonl").read_bytes() == before


@pytest.mark.parametrize("words, said", [
    (["add", "statements.jsonl", "--key", "alice.pub", "--out", "o"], "alice.pub: no private key"),
    (["add", "statements.jsonl", "--key", "none.pem", "--out", "o"], "none.pem: No such file"),
    (["add", "none.jsonl", "--key", "alice.pem", "--out", "o"], "none.jsonl: No such file"),
    (["check", "a.txt", "--signed", "statements.jsonl", "--keys", "alice.pub"],
     "statements.jsonl: line 1 is no DSSE envelope"),
    (["check", "a.txt", "--signed", "signed.jsonl", "--keys", "a.txt"], "a.txt: no public key"),
    (["check", "none.txt", "--signed", "signed.jsonl", "--keys", "alice.pub"], "none.txt: no such"),
])
def test_a_mistake_is_one_sentence(signed, words, said):
    status, found = sign(signed, *words)
    assert status == 1 and said in found and len(found.splitlines()) == 1
    assert not (signed / "o").exists()
