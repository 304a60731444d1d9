"""Find what a disk has damaged: DVC trusts its cache, and restores a damaged object without a word.

    sh scripts/run intact --cache .dvc/cache
    sh scripts/run intact --outputs

In:  DVC's cache, whose objects have their MD5 as name; or the outputs of the stages, whose MD5 are
     in dvc.lock.
Out: what is damaged is named and removed, so that `dvc repro` makes it anew; without --outputs the
     status is 0 then, with it 1. `make all` does both: the cache before, the outputs after.
"""
import os
import re
import sys

import yaml

from kit.base.cli import UserError, parser, progress, run, write_text
from kit.base.digest import md5
from kit.rebuild.clones import git

OBJECT = re.compile(r"^[0-9a-f]{30}(\.dir)?$")


def locked(path):
    """[(stage, path of an output, its MD5)] of a dvc.lock; none where there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            stages = yaml.safe_load(file)["stages"]
        return [(stage, out["path"], out["md5"]) for stage, found in stages.items()
                for out in found.get("outs", [])]
    except FileNotFoundError:
        return []
    except (OSError, yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError("%s is no lock of DVC: %s" % (path, " ".join(str(error).split())))


def restored(path):
    """The outputs of a dvc.lock; one that was cut off becomes again what the last commit has.

    DVC writes the file in place: where it is killed meanwhile, nothing or a part is left.
    """
    try:
        return locked(path)
    except UserError as error:
        print(error, file=sys.stderr)
    folder, name = os.path.split(os.path.abspath(path))
    try:
        write_text(path, git("show", "HEAD:./" + name, folder=folder))
        found = locked(path)
        print("%s is now that of the last commit" % path, file=sys.stderr)
        return found
    except UserError:
        os.remove(path)
        print("%s is removed, the last commit has none; `dvc repro` makes it" % path,
              file=sys.stderr)
        return []


def objects(cache):
    """[(MD5, path)] of the objects in a cache, by name."""
    folder = os.path.join(cache, "files", "md5")
    if not os.path.isdir(folder):
        return []
    return [(start + name[:30], os.path.join(folder, start, name))
            for start in sorted(os.listdir(folder)) if re.match("^[0-9a-f]{2}$", start)
            for name in sorted(os.listdir(os.path.join(folder, start))) if OBJECT.match(name)]


def damaged(files):
    """Those of [(MD5, path)] whose bytes have another MD5; what is not there is not damaged."""
    return [(digest, path) for digest, path in progress(files, "check")
            if os.path.isfile(path) and md5(path) != digest]


def clean_cache(cache, outs):
    """Remove damaged objects, and outputs that were restored from them."""
    for digest, path in damaged(objects(cache)):
        made = [(stage, out) for stage, out, wanted in outs if wanted == digest]
        print("%s was damaged and is removed%s" % (path, "".join(
            "; the stage %s makes it again: %s" % pair for pair in made)), file=sys.stderr)
        os.remove(path)
        for _, out in damaged([(digest, out) for _, out in made]):
            os.remove(out)


def clean_outputs(outs):
    """UserError naming outputs that are not what dvc.lock says, which are removed."""
    wrong = [path for _, path in damaged([(digest, out) for _, out, digest in outs])]
    for path in wrong:
        os.remove(path)
    if wrong:
        raise UserError("damaged on this disk, and removed: %s; `dvc repro` makes them again"
                        % ", ".join(wrong))


def arguments(argv):
    p = parser(__doc__)
    p.add_argument("--lock", default="dvc.lock", help="hashes of the outputs")
    p.add_argument("--cache", help="DVC's cache, as `dvc cache dir` says")
    p.add_argument("--outputs", action="store_true", help="compare the outputs, too")
    return p.parse_args(argv)


def main(argv):
    args = arguments(argv)
    outs = restored(args.lock)
    if args.cache:
        clean_cache(args.cache, outs)
    if args.outputs:
        clean_outputs(outs)


if __name__ == "__main__":
    run(main)
