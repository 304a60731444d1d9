"""What is known against the packages of the locks, and why it does not reach us.

    make audit
    sh scripts/run audit requirements.lock environments/dvc.lock --reasons environments/audit.json

In:  hashed locks; pip-audit of environments/audit.lock, which asks PyPI about their packages; and
     {package: why its advisories do not reach us}.
Out: a line per package with something open, its advisories and the reason. Status 1 where a package
     has no reason, or where a package could not be asked about: silence is not an answer.
"""
import json
import os
import subprocess
import sys

from kit.base.cli import UserError, counted, parser, progress, read_json, run
from kit.base.expect import Each, Optional, Text, expect

PIP_AUDIT = os.path.join(os.path.dirname(sys.executable), "pip-audit")
ANSWER = {"dependencies": [{"name": Text, "version": Optional(Text), "skip_reason": Optional(Text)}]}


def asked(lock):
    """What pip-audit answers about a lock: [{"name", "version", "vulns": [{"id"}]} or skipped]."""
    done = subprocess.run(
        [PIP_AUDIT, "--disable-pip", "--require-hashes", "-r", lock, "-f", "json",
         "--progress-spinner", "off"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise UserError("%s: pip-audit gives no answer: %s"
                        % (lock, " ".join(done.stderr.split())[-300:]))
    expect(answer, ANSWER, "pip-audit's answer about " + lock)
    return answer["dependencies"]


def judged(answers, reasons):
    """(lines, packages without a reason, packages that nothing is known about), each sorted.

    answers : {lock: what `asked` gives}
    """
    found, unknown = {}, set()
    for dependencies in answers.values():
        for item in dependencies:
            if "skip_reason" in item:
                unknown.add(item["name"])
            elif item.get("vulns"):
                key = item["name"], item["version"]
                found.setdefault(key, set()).update(one["id"] for one in item["vulns"])
    lines = ["%s %s: %s (%s): %s" % (name, version, counted(len(ids), "advisory").replace(
        "advisorys", "advisories"), ", ".join(sorted(ids)), reasons.get(name, "NOT JUDGED"))
             for (name, version), ids in sorted(found.items())]
    return lines, sorted({name for name, _ in found} - set(reasons)), sorted(unknown)


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("locks", nargs="+", help="hashed locks")
    p.add_argument("--reasons", required=True, help="JSON, {package: reason}")
    return p.parse_args(argv)


def main(argv):
    args = arguments(argv)
    reasons = read_json(args.reasons)
    expect(reasons, Each(Text), args.reasons)
    answers = {lock: asked(lock) for lock in progress(args.locks, "audit")}
    lines, without, unknown = judged(answers, reasons)
    for line in lines:
        print(line)
    if unknown:
        raise UserError("%s could not be asked about (%s …): is PyPI's advisory database in reach?"
                        % (counted(len(unknown), "package"), ", ".join(unknown[:3])))
    if without:
        raise UserError("no reason in %s for: %s" % (args.reasons, ", ".join(without)))
    print("%s with something open, each with a reason" % counted(len(lines), "package"))


if __name__ == "__main__":
    run(main)
