"""What dvc.lock says that a stage was made from, against what is here now: cheap, without DVC."""
import hashlib
import json
import os

import yaml

from kit.base.cli import UserError


def md5(path):
    """The hash that dvc.lock has of a file or a folder; None where there is none."""
    if os.path.isdir(path):
        files = sorted(os.path.relpath(os.path.join(folder, name), path).replace(os.sep, "/")
                       for folder, _, names in os.walk(path) for name in names)
        listed = [{"md5": md5(os.path.join(path, name)), "relpath": name} for name in files]
        return hashlib.md5(json.dumps(listed, sort_keys=True).encode()).hexdigest() + ".dir"
    try:
        with open(path, "rb") as file:
            return hashlib.md5(file.read()).hexdigest()
    except OSError:
        return None


def stale(lock, stage, params):
    """Sentences on what a stage's results are not of any more; none where all fits.

    lock : path of dvc.lock; params : path of params.yaml. Inputs that other stages made and
    parameters are compared, and the code is left to `dvc status`.
    """
    try:
        with open(lock, encoding="utf-8") as file:
            stages = yaml.safe_load(file)["stages"]
        with open(params, encoding="utf-8") as file:
            now = yaml.safe_load(file)
        made = [out["path"] for spec in stages.values() for out in spec.get("outs", [])]
        changed = [dep["path"] for dep in stages[stage]["deps"]
                   if any((path + "/").startswith(dep["path"] + "/") for path in made)
                   and md5(dep["path"]) != dep["md5"]]
        changed += ["%s of %s" % (section, name) for name in dict.fromkeys(
            path for spec in stages.values() for path in spec.get("params", {}))
            for section in dict.fromkeys(section for spec in stages.values()
                                         for section in spec.get("params", {}).get(name, {}))
            if any(spec["params"][name].get(section, now.get(section)) != now.get(section)
                   for spec in stages.values() if name in spec.get("params", {}))]
    except OSError:
        return []
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError("%s or %s is damaged: %s" % (lock, params, " ".join(str(error).split())))
    if not changed:
        return []
    return ["stale: these are not the results of what is here now; %s changed since: run `dvc repro`"
            % ", ".join(changed)]
