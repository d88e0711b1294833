# Records what the AWS CLI reads in YAML, so that the tests can compare without having one. Only
# needed to add cases; PYTHONPATH leads to the AWS CLI's libraries:
#
#     python3 test/cli/recorded/record-yaml.py
#
# yaml.json was recorded with ruamel.yaml 0.17.21, which aws-cli 2.9.19 (Debian 12) uses. A text that
# is refused has null for its value, any other Python's notation of it.
import json
import pathlib

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError


def read(text):
    try:
        return repr(YAML(typ="safe", pure=True).load(text))
    except (YAMLError, ValueError):
        return None


file = pathlib.Path(__file__).with_name("yaml.json")
recorded = {text: read(text) for text in json.loads(file.read_text())}
file.write_text(json.dumps(recorded, indent=2, ensure_ascii=False) + "\n")
