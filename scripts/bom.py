"""CycloneDX bill of materials: every package of the locks, every model file, with their hashes.

    make bom
    sh scripts/run bom requirements.lock environments/dvc.lock --models models/convert --out reports/bom.json

In:  hashed locks, and a folder of .tflite files.
Out: CycloneDX 1.6 as JSON, valid against its schema. A package is a library, with the lock it stands in
     and the hashes of the files that may be installed; a model file a machine-learning-model with its
     SHA-256. The same input gives the same bytes: no time, and a serial number made of the content.

Its library (cyclonedx-python-lib) knows no model card; the `.json` beside a file has what one would hold.
"""
import os
import re
import uuid

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from kit.base.cli import UserError, counted, parser, run, write_text
from kit.base.digest import sha256, sha256_of

PACKAGE = re.compile(r"^([a-z0-9-]+)==([^\s;\\]+)((?:.*\\\n)*.*)", re.M)
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def packages(lock):
    """[(name, version, [SHA-256 of the files that may be installed])] of a hashed lock."""
    try:
        with open(lock, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("%s: %s" % (lock, getattr(error, "strerror", None) or "no text"))
    found = [(name, version, HASH.findall(rest)) for name, version, rest in PACKAGE.findall(text)]
    if not found or not all(hashes for _, _, hashes in found):
        raise UserError("%s is no hashed lock; `make lock` writes one" % lock)
    return found


def library(name, version, hashes, lock):
    """The Component of a package as one lock has it."""
    purl = PackageURL("pypi", name=name, version=version)
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION, url=XsUri("https://pypi.org/simple/%s/" % name),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in hashes])
    return Component(name=name, version=version, type=ComponentType.LIBRARY, purl=purl,
                     bom_ref="%s#%s" % (lock, purl), external_references=[files],
                     properties=[Property(name="lock", value=lock)])


def model(path):
    """The Component of a model file."""
    digest = HashType(alg=HashAlgorithm.SHA_256, content=sha256(path))
    return Component(name=os.path.basename(path), type=ComponentType.MACHINE_LEARNING_MODEL,
                     bom_ref=path, hashes=[digest])


def bill(components):
    """The text of a bill of materials, the same for the same Components."""
    bom = Bom(components=components, serial_number=uuid.UUID(int=0))
    bom.metadata.timestamp = None
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    bom.serial_number = uuid.UUID(hex=sha256_of(text.encode())[:32], version=4)
    text = JsonV1Dot6(bom).output_as_string(indent=2) + "\n"
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong is not None:
        raise UserError("the bill is not valid CycloneDX 1.6: %s" % str(wrong)[:300])
    return text


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("locks", nargs="+", help="hashed locks")
    p.add_argument("--models", required=True, help="folder of .tflite files")
    p.add_argument("--out", required=True, help="file to write (.json)")
    return p.parse_args(argv)


def main(argv):
    args = arguments(argv)
    if not os.path.isdir(args.models):
        raise UserError("%s: no such folder" % args.models)
    files = sorted(name for name in os.listdir(args.models) if name.endswith(".tflite"))
    if not files:
        raise UserError("%s: no .tflite file in this folder" % args.models)
    libraries = [library(*package, lock) for lock in args.locks for package in packages(lock)]
    models = [model(os.path.join(args.models, name)) for name in files]
    write_text(args.out, bill(models + libraries))
    print("%s: %s of %s, %s" % (args.out, counted(len(libraries), "package"),
                                counted(len(args.locks), "lock"), counted(len(models), "model file")))


if __name__ == "__main__":
    run(main)
