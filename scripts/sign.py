"""Signs what is said of every artifact, and counts who signed it: k of n machines, offline.

    openssl genpkey -algorithm ed25519 -out me.pem && openssl pkey -in me.pem -pubout -out me.pub
    sh scripts/run sign add models/attest/provenance.jsonl --key me.pem --out models/attest/signed.jsonl
    sh scripts/run sign check step_int8.tflite --signed models/attest/signed.jsonl \\
        --keys me.pub yours.pub --at-least 2

In:  add: the statements of `attest`, whose products are here; a private key (PEM: Ed25519, ECDSA or
     RSA); signatures of others, where there are some (--others), that are taken in.
     check: any copy of an artifact, the signed statements, the public keys that count.
Out: add: one DSSE envelope per statement and line (payload application/vnd.in-toto+json), with the
     signatures of all who signed this very statement. Who builds other bytes makes another
     statement, and signs that: signatures on one line say that their machines agree.
     check: `yes` with the names of the keys, exit status 0; or `no`, exit status 1.
"""
import json
import os

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from kit.base.cli import UserError, counted, parser, run, write_text
from kit.base.digest import sha256
from kit.rebuild.clones import find

PAYLOAD_TYPE = "application/vnd.in-toto+json"


def lines_of(path):
    """The lines of a text file; UserError where it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("%s: %s" % (path, getattr(error, "strerror", None) or "no text"))


def envelopes(path):
    """{payload: Envelope} of a file of signed statements, in its order."""
    found = {}
    for number, line in enumerate(lines_of(path), 1):
        try:
            envelope = Envelope.from_dict(json.loads(line))
            json.loads(envelope.payload)["subject"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError("%s: line %d is no DSSE envelope of a statement: %s"
                            % (path, number, error))
        found[envelope.payload] = envelope
    return found


def subjects(payload):
    """{name: SHA-256} of what a statement is about."""
    return {item["name"]: item["digest"]["sha256"] for item in json.loads(payload)["subject"]}


def check_products(path, payload):
    """UserError unless every product of a statement is here, byte for byte."""
    for name, digest in subjects(payload).items():
        if not os.path.isfile(name) or sha256(name) != digest:
            raise UserError("%s is not what %s says of it; a signature says that you have made it: "
                            "run `make all` first" % (name, path))


def key_file(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UserError("%s: %s" % (path, error.strerror))


def signer(path):
    """Who signs with the private key of a PEM file."""
    try:
        return CryptoSigner(serialization.load_pem_private_key(key_file(path), None))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UserError("%s: no private key in PEM without a password: %s" % (path, error))


def public_key(path):
    """The key that signatures are checked with."""
    try:
        return SSlibKey.from_crypto(serialization.load_pem_public_key(key_file(path)))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UserError("%s: no public key in PEM: %s" % (path, error))


def add(args):
    payloads = [line.encode() for line in lines_of(args.statements)]
    others = args.others + [args.out] * os.path.exists(args.out)
    known = [envelopes(path) for path in others]
    who, lines = signer(args.key), []
    for payload in payloads:
        check_products(args.statements, payload)
        envelope = Envelope(payload, PAYLOAD_TYPE, {})
        for other in known:
            if payload in other:
                envelope.signatures.update(other[payload].signatures)
        envelope.sign(who)
        envelope.signatures = dict(sorted(envelope.signatures.items()))
        lines.append(json.dumps(envelope.to_dict()))
    write_text(args.out, "\n".join(lines) + "\n")
    print("%s: %s signed by %s" % (args.out, counted(len(lines), "statement"),
                                   who.public_key.keyid[:12]))


def check(args):
    names, file = {}, find(args.file)
    for path in args.keys:
        key = public_key(path)
        names.setdefault(key.keyid, (os.path.basename(path), key))
    if len(names) < args.at_least:
        raise UserError("--at-least %d: only %s given" % (
            args.at_least, counted(len(names), "key")))
    digest, best = sha256(file), []
    for envelope in envelopes(args.signed).values():
        if digest in subjects(envelope.payload).values():
            signed = [name for name, key in names.values() if verified(envelope, key)]
            best = max(best, signed, key=len)
    print("%s: %s is signed by %d of %d keys, %d asked for%s" % (
        "yes" if len(best) >= args.at_least else "no", file, len(best), len(names),
        args.at_least, ": " + ", ".join(sorted(best)) if best else ""))
    return int(len(best) < args.at_least)


def verified(envelope, key):
    try:
        return bool(envelope.verify([key], 1))
    except VerificationError:
        return False


def arguments(argv):
    p = parser(__doc__)
    tasks = p.add_subparsers(dest="task", required=True)
    task = tasks.add_parser("add", help="add your signature to every statement")
    task.add_argument("statements", help="statements of attest (.jsonl)")
    task.add_argument("--key", required=True, help="your private key (PEM)")
    task.add_argument("--others", nargs="*", default=[], help="signed statements of others")
    task.add_argument("--out", required=True, help="envelopes to write (.jsonl); signatures there stay")
    task.set_defaults(run=add)
    task = tasks.add_parser("check", help="count whose signatures a file has")
    task.add_argument("file", help="an artifact, for example step_int8.tflite")
    task.add_argument("--signed", required=True, help="envelopes (.jsonl)")
    task.add_argument("--keys", nargs="+", required=True, help="public keys (PEM) that count")
    task.add_argument("--at-least", type=int, default=1, help="signatures that are asked for (1)")
    task.set_defaults(run=check)
    return p.parse_args(argv)


def main(argv):
    args = arguments(argv)
    return args.run(args)


if __name__ == "__main__":
    run(main)
