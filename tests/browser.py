"""A browser without a window: what it shows of a page, and what the page asks the network for."""
import json
import shutil
import subprocess

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
                None)
BROWSER = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-sync",
           "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--v=0",
           "--virtual-time-budget=20000", "--dump-dom"]


def browse(path, scratch):
    """(the page as the browser built it, console messages, addresses that the page asked for)."""
    log = scratch / "net.json"
    done = subprocess.run(
        [CHROMIUM, "--user-data-dir=%s" % (scratch / "profile"), "--log-net-log=%s" % log]
        + BROWSER + ["file://%s" % path],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=120)
    assert done.returncode == 0
    network = json.loads(log.read_text())
    begun = network["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    # The browser's own requests, for updates and the time, have no origin.
    requests = [event["params"]["url"] for event in network["events"] if event["type"] == begun
                and event.get("params", {}).get("initiator", "not an origin") != "not an origin"]
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return done.stdout, console, requests
