"""What a reader should take away from the results, in a few sentences computed from them."""
import numpy as np

from kit.base.cli import counted
from kit.page.results import grouped, poor_forecast, written
from kit.record.timeline import DAY_S
from kit.runtime.precisions import EXACT


def summary(headline, metrics, models, scored, parity, costs):
    """What was detected, what quantization cost, how large the files are: a sentence each.

    headline : name of the detector that the sentences are about, or None
    metrics, parity, costs : what the stage evaluate wrote, {} where it did not; models : {name:
    description of a .tflite}; scored : plots.Scored. What is not known is left out.
    """
    sentences = [detected(headline, metrics, scored), poor_forecast(metrics),
                 quantized(headline, parity, costs), sized(headline, models)]
    return [sentence for sentence in sentences if sentence]


def detected(headline, metrics, scored):
    """What the headline detector found, with the best baseline and the best floor beside it."""
    if headline is None:
        return None
    values, events = metrics[headline], len(scored.events)
    days = len(scored.time) * seconds_per_sample(scored.time) / DAY_S
    where = "in %.1f days of test record" % days
    if values.get("event_recall") is None:
        return ("%s raised %s %s; without labels nobody can say which of them are right."
                % (headline, counted(len(scored.alarms), "alarm"), where))
    sentence = "%s found %d of %s %s, with %s false alarms per day" % (
        headline, round(values["event_recall"] * events), counted(events, "event"), where,
        written("false_alarms_per_day", values["false_alarms_per_day"]))
    if values["median_delay_s"] is not None:
        sentence += " and a median delay of %s s" % written(
            "median_delay_s", values["median_delay_s"])
    return sentence + "; its VUS-PR of %s stands beside %s." % (
        written("vus_pr", values["vus_pr"]), " and ".join(rivals(metrics)))


def rivals(metrics):
    """The VUS-PR of the best of each group that a model must beat, in words."""
    best = {group: detectors[0] for group, detectors in grouped(metrics)}
    return ["%s of the best %s (%s)" % (
        written("vus_pr", best[group][1]["vus_pr"]), group[:-1], best[group][0])
            for group in ("baselines", "floors") if group in best] or ["none"]


def quantized(headline, parity, costs):
    """What the headline file's precision cost against Keras and against its float form."""
    if headline not in parity:
        return None
    moved = parity[headline]["forecast_mean_abs_diff"] / parity[headline]["output_std"]
    sentence = ("Its forecasts differ from those of Keras by %.3g %% of their standard deviation "
                "on average" % (100 * moved))
    alarms = decided(parity[headline])
    cost = costs.get(headline)
    if cost is None:
        return sentence + "." + alarms
    sentence += "; against %s, %.2g %% of the decisions changed" % (
        cost["reference"], 100 * cost["decisions_changed"])
    if "vus_pr_change" in cost:
        sentence += " and VUS-PR moved by %+.4f" % cost["vus_pr_change"]
    return sentence + "." + alarms


def decided(changes):
    """What became of the alarms of Keras, as a sentence that follows another."""
    if not {"alarms_same", "alarms_gained", "alarms_lost"} <= set(changes):
        return ""
    return " Of the %s of Keras, it raises %d; it loses %d and gains %d." % (
        counted(changes["alarms_same"] + changes["alarms_lost"], "alarm"),
        changes["alarms_same"], changes["alarms_lost"], changes["alarms_gained"])


def sized(headline, models):
    """The size of the headline file, beside the same form in float32 and the largest file."""
    if headline not in models:
        return None
    size = models[headline]["size_bytes"]
    sentence = "The file %s.tflite has %s bytes" % (headline, written("bytes", size))
    reference = float_form(models, models[headline]["form"])
    if reference and reference != headline:
        sentence += ", %.1f times fewer than %s (%s)" % (
            models[reference]["size_bytes"] / size, reference,
            written("bytes", models[reference]["size_bytes"]))
    largest = max(models, key=lambda name: models[name]["size_bytes"])
    if largest not in (headline, reference):
        sentence += "; the largest is %s with %s" % (
            largest, written("bytes", models[largest]["size_bytes"]))
    return sentence + "."


def float_form(models, form):
    """The name of the float32 file of a form, or None."""
    return next((name for name, description in models.items()
                 if (description["form"], description["precision"]) == (form, EXACT)), None)


def seconds_per_sample(time):
    return float((time[-1] - time[0]) / np.timedelta64(1, "s")) / max(len(time) - 1, 1)
