"""A frame for DVC's pages of plots that holds the library that draws them.

    .venv-dvc/bin/python scripts/kit/page/offline.py FRAME.html

DVC's own frame loads Vega from a CDN, and a page that is opened without a network stays empty. Vega,
Vega-Lite and Vega-Embed come from vl-convert, which carries them; `scripts/setup` writes the frame
and names it to DVC as plots.html_template.
"""
import os
import sys

VEGA_LITE = "5.21"  # of the schema that DVC's templates and ours ask for
FRAME = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
{refresh_tag}
<title>DVC plots</title>
<script>(() => {%s})();</script>
<style>table { border-spacing: 15px; }</style>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def frame():
    """The frame, with DVC's two places to fill in."""
    import vl_convert

    return FRAME.replace("%s", vl_convert.javascript_bundle(vl_version=VEGA_LITE))


def main(argv):
    path, = argv
    with open(path + ".part", "w", encoding="utf-8", newline="\n") as file:
        file.write(frame())
    os.replace(path + ".part", path)


if __name__ == "__main__":
    main(sys.argv[1:])
