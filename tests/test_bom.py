"""The bill of materials: every package and model with its hashes, the same bytes each time."""
import hashlib
import json
import os
import subprocess

import pytest

from conftest import ROOT, set_up

pytestmark = pytest.mark.slow
LOCK = """# made by hand
absl-py==2.1.0 \\
    --hash=sha256:%s
numpy==1.18.5 ; python_version < '3.8' \\
    --hash=sha256:%s \\
    --hash=sha256:%s
""" % ("a" * 64, "b" * 64, "c" * 64)


@pytest.fixture(scope="module", autouse=True)
def environment():
    set_up("bom")


@pytest.fixture
def kit(tmp_path):
    for name in ("one.lock", "two.lock"):
        (tmp_path / name).write_text(LOCK)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "step.tflite").write_bytes(b"a model")
    return tmp_path


def bom(folder, *words):
    """(exit status, what was said) of scripts/bom.py."""
    done = subprocess.run(
        ["sh", os.path.join(ROOT, "scripts", "run"), "bom", *words, "--out", "bom.json"],
        cwd=str(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout


def test_packages_stand_with_their_lock_and_models_with_their_hash(kit):
    status, said = bom(kit, "one.lock", "two.lock", "--models", "models")
    assert (status, said) == (0, "bom.json: 4 packages of 2 locks, 1 model file\n")
    first = (kit / "bom.json").read_bytes()
    found = {item["bom-ref"]: item for item in json.loads(first)["components"]}
    assert len(found) == 5
    numpy = found["two.lock#pkg:pypi/numpy@1.18.5"]
    assert numpy["type"] == "library" and numpy["properties"] == [{"name": "lock", "value": "two.lock"}]
    assert {one["content"] for one in numpy["externalReferences"][0]["hashes"]} == {"b" * 64, "c" * 64}
    step = found["models/step.tflite"]
    assert step["type"] == "machine-learning-model"
    assert step["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(b"a model").hexdigest()}]

    bom(kit, "one.lock", "two.lock", "--models", "models")
    assert (kit / "bom.json").read_bytes() == first
    (kit / "models" / "step.tflite").write_bytes(b"another")
    bom(kit, "one.lock", "two.lock", "--models", "models")
    assert json.loads((kit / "bom.json").read_bytes())["serialNumber"] != json.loads(first)["serialNumber"]


@pytest.mark.parametrize("words, sentence", [
    (["none.lock", "--models", "models"], "none.lock: No such file"),
    (["bare.lock", "--models", "models"], "bare.lock is no hashed lock; `make lock` writes one"),
    (["one.lock", "--models", "none"], "none: no such folder"),
    (["one.lock", "--models", "."], "no .tflite file in this folder"),
])
def test_what_cannot_be_listed_is_one_sentence(kit, words, sentence):
    (kit / "bare.lock").write_text("numpy==1.18.5\n")
    status, said = bom(kit, *words)
    assert status == 1 and sentence in said and not (kit / "bom.json").exists()
