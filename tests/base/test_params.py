"""params.yaml against its schema: every refusal names the key and what is allowed."""
import copy
import os

import pytest
import yaml

from conftest import ROOT
from kit.base.cli import UserError
from kit.base.params import load_params

DEFAULTS = load_params(os.path.join(ROOT, "params.yaml"))


def load(tmp_path, params):
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params))
    return load_params(str(path))


def changed(section, key, value):
    params = copy.deepcopy(DEFAULTS)
    params[section][key] = value
    return params


def test_defaults_and_smoke_are_allowed(tmp_path):
    assert load(tmp_path, DEFAULTS) == DEFAULTS
    smoke = load_params(os.path.join(ROOT, "tests", "smoke.yaml"))
    assert {section: set(keys) for section, keys in smoke.items()} == {
        section: set(keys) for section, keys in DEFAULTS.items()}


@pytest.mark.parametrize("section, key, value, words", [
    ("train", "units", "64", ["train.units is '64'", "integer", "at least 1", "hidden units"]),
    ("train", "units", 0, ["train.units is 0", "at least 1"]),
    ("train", "units", True, ["train.units is True", "integer"]),
    ("train", "batch_size", 1.5, ["train.batch_size is 1.5", "integer"]),
    ("train", "learning_rate", float("nan"), ["train.learning_rate is nan", "finite number"]),
    ("train", "learning_rate", float("inf"), ["train.learning_rate is inf", "finite number"]),
    ("train", "learning_rate", 0, ["train.learning_rate is 0", "above 0"]),
    ("train", "deterministic", "no", ["train.deterministic is 'no'", "boolean"]),
    ("train", "epoch", 3, ["unknown key train.epoch", "epochs"]),
    ("train", "window_steps", 10 ** 6, ["train.window_steps is 1000000", "at most half"]),
    ("generate", "test_samples", 0, ["generate.test_samples is 0", "at least"]),
])
def test_a_wrong_value_names_its_key_and_what_is_allowed(tmp_path, section, key, value, words):
    with pytest.raises(UserError) as error:
        load(tmp_path, changed(section, key, value))
    for word in words:
        assert word in str(error.value)


def test_the_lengths_of_the_simulation_do_not_bind_a_log_of_ones_own(tmp_path):
    params = changed("train", "window_steps", 6000)
    with pytest.raises(UserError, match="generate.validation_samples is 10000"):
        load(tmp_path, params)
    params["generate"]["source"] = "plant.csv"
    assert load(tmp_path, params) == params


def test_a_missing_key_and_a_missing_section_are_named(tmp_path):
    params = copy.deepcopy(DEFAULTS)
    del params["train"]["units"]
    with pytest.raises(UserError, match="key train.units is missing"):
        load(tmp_path, params)
    del params["train"]
    with pytest.raises(UserError, match="key train is missing"):
        load(tmp_path, params)


def test_every_key_of_the_schema_says_what_it_is():
    with open(os.path.join(ROOT, "params.schema.yaml")) as file:
        schema = yaml.safe_load(file)
    for section, content in schema["properties"].items():
        for key, rule in content["properties"].items():
            assert rule.get("description"), "%s.%s" % (section, key)


@pytest.mark.parametrize("text, words", [
    ("generate: {start: 2020-13-01}", "is not YAML: month must be in 1..12"),
    ("[" * 3000, "is not YAML"),
    ("? 1\n: 2\n? b\n: 3", "the key 1 is int; allowed: text"),
    ("train: [", "is not YAML"), ("", "the file is None"), ("3", "the file is 3")])
def test_a_damaged_file_is_one_sentence(tmp_path, text, words):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=words) as error:
        load_params(str(path))
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(UserError, match="nowhere.yaml: No such file"):
        load_params("nowhere.yaml")
