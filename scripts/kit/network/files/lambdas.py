"""What stands for a Lambda layer, whose Python code in the file is never run.

A person who knows it says what it computes: an activation's name, a factor, or the arithmetic itself
in x, as it stands in the lambda. It becomes the layer Activation or, as newer Kerases call
`x * scale + offset`, Rescaling; x[:, -1, :], the last step of a sequence, becomes LastStep.
"""
import ast
import re

from kit.base.cli import UserError

LAST_STEP = re.compile(r"x\s*\[\s*:\s*,\s*-1\s*(,\s*(:|\.\.\.)\s*)*\]$")  # x[:, -1, :]


def replacements(options):
    """{layer: what it computes} of --replace-lambda NAME=WHAT, given several times or not at all."""
    pairs = [option.partition("=") for option in options or []]
    for name, equals, what in pairs:
        if not (name.strip() and equals and what.strip()):
            raise UserError("--replace-lambda %s: give NAME=WHAT, as lambda_1=tanh or lambda_1='x / "
                            "255'" % (name + equals + what))
    return {name.strip(): what.strip() for name, _, what in pairs}


def replaced(path, name, known):
    """(class name, config) in place of the Lambda `name`; UserError where nobody said what it computes."""
    if name not in known:
        raise UserError(
            "%s: layer '%s' is a Lambda layer, Python code that is not run here; where it takes "
            "each value alone, or the last step, say what it computes: --replace-lambda %s=tanh (an "
            "activation), %s='x / 255' or %s='x[:, -1, :]'" % (path, name, name, name, name))
    what = known[name]
    if LAST_STEP.match(what):
        return "LastStep", {"name": name}
    if re.match(r"[A-Za-z_]\w*$", what) and what != "x":
        return "Activation", {"name": name, "activation": what}
    scale, offset = arithmetic(what)
    return rescaling(name, scale or offset, offset if scale else 0.0)  # a number is a factor


def rescaling(name, scale, offset):
    return "Rescaling", {"name": name, "scale": float(scale), "offset": float(offset)}


def arithmetic(text):
    """(scale, offset) of an expression in x, "x / 255" or "2 * x - 1"; a number is (0, number)."""
    try:
        return _line(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        raise UserError("'%s': an activation's name, a number, +, -, *, / between x and numbers, or "
                        "x[:, -1, :] is needed" % text)


def _line(node):
    """(a, b) of a x + b."""
    if isinstance(node, ast.Name) and node.id == "x":
        return 1.0, 0.0
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return tuple(-part for part in _line(node.operand))
    if isinstance(node, ast.BinOp):
        (a, b), (c, d) = _line(node.left), _line(node.right)
        if isinstance(node.op, ast.Add):
            return a + c, b + d
        if isinstance(node.op, ast.Sub):
            return a - c, b - d
        if isinstance(node.op, ast.Mult) and not (a and c):
            return a * d + b * c, b * d
        if isinstance(node.op, ast.Div) and not c:
            return a / d, b / d
    number = getattr(node, "n", None)
    if type(number) in (int, float):
        return 0.0, float(number)
    raise ValueError(type(node).__name__)
