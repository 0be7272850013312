"""JSON and YAML in which no key is lost and every key is read as text.

PyYAML follows YAML 1.1: it reads the key `017` as the number 15, `1.10` as 1.1 and `no` as False. Where keys are
image names, that would give prompts to the wrong image.
"""

import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from dentasam.documents.error import DocumentError
from dentasam.documents.json_document import parse_json
from dentasam.documents.text import DATASET_BYTES, LIST_BYTES, read_text
from dentasam.documents.yaml_document import DocumentLoader, parse_yaml
from dentasam.errors import PromptError

# Plain scalars that are not text, as in the core schema of YAML 1.2; of numbers, decimal ones only.
_RESOLVED = (
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9]+", list("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    ("tag:yaml.org,2002:merge", r"<<", ["<"]),
)
# Keys whose value is a name as well: that of a tooth may be written 018.
NAMES = ("category",)


class _Loader(DocumentLoader):
    """Keys are strings as written, and none is there twice, however it is quoted."""

    # Some 10,000 images with 30 objects each.
    max_nodes = 5_000_000
    keys_are_texts = True
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - declared like this by PyYAML

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        self.flatten_mapping(node)
        return {
            key.value: value.value
            if key.value in NAMES and isinstance(value, yaml.ScalarNode) and not value.tag.endswith(":null")
            else self.construct_object(value, deep=True)
            for key, value in node.value
        }

    def construct_int(self, node: yaml.ScalarNode) -> int:
        return int(node.value)

    def construct_float(self, node: yaml.ScalarNode) -> float:
        text = node.value.lower()
        return math.nan if text.endswith("nan") else float(text.replace(".inf", "inf"))


for _tag, _pattern, _first in _RESOLVED:
    _Loader.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern})\\Z"), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_float)
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_mapping)


def read_document(path: Path) -> Any:
    """The content of a JSON or YAML file; a byte order mark before it is passed over.

    Raises PromptError where the file cannot be read, is neither, or has a key twice.
    """
    is_json = path.suffix.lower() == ".json"
    try:
        text = read_text(path, DATASET_BYTES if is_json else LIST_BYTES)
    except FileNotFoundError:
        raise PromptError(f"{path} does not exist; give a JSON or YAML file of prompts") from None
    except OSError as error:
        raise PromptError(f"{path} cannot be read as text ({error.strerror}); give a JSON or YAML file") from None
    except DocumentError as error:
        raise PromptError(f"{path} cannot be read as text ({error}); give a JSON or YAML file") from None
    try:
        return parse_json(text, unique=True) if is_json else parse_yaml(text, _Loader)
    except DocumentError as error:
        where = f"{path}" if error.line is None else f"{path}, line {error.line}"
        if error.key is not None:
            raise PromptError(f"{where}: {error.reason}; put all that belongs to it under one key") from None
        raise PromptError(f"{where} is not valid {'JSON' if is_json else 'YAML'} ({error.reason})") from None
