"""JSON and YAML in which no key is lost and every key is read as text.

PyYAML follows YAML 1.1: it reads the key `017` as the number 15, `1.10` as 1.1 and `no` as False, and of two equal
keys it keeps the last, as Python's JSON does. Where keys are image names, both would give prompts to the wrong image.
"""

import json
import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from dentasam.errors import PromptError
from dentasam.regular_file import open_regular

# Plain scalars that are not text, as in the core schema of YAML 1.2; of numbers, decimal ones only.
_RESOLVED = (
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9]+", list("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    ("tag:yaml.org,2002:merge", r"<<", ["<"]),
)
# Keys whose value is a name as well: that of a tooth may be written 018.
NAMES = ("category",)


class _Loader(yaml.SafeLoader):
    """Keys are strings as written, and none is there twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - declared like this by PyYAML

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names: dict[str, yaml.Node] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is not a name", key.start_mark)
            if key.value in names and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
            names[key.value] = key
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


class _Repeated(ValueError):
    pass


def read_document(path: Path) -> Any:
    """The content of a JSON or YAML file; a byte order mark before it is passed over.

    Raises PromptError where the file cannot be read, is neither, or has a key twice.
    """
    try:
        with open_regular(path) as file:
            text = file.read().decode("utf-8-sig")
    except FileNotFoundError:
        raise PromptError(f"{path} does not exist; give a JSON or YAML file of prompts") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"{path} cannot be read as text ({error}); give a JSON or YAML file") from None
    try:
        if path.suffix.lower() == ".json":
            return json.loads(text, object_pairs_hook=_unrepeated)
        return yaml.load(text, Loader=_Loader)
    except json.JSONDecodeError as error:
        raise PromptError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from None
    except _Repeated as error:
        raise PromptError(f"{path}: {error} is there twice; put all that belongs to it under one key") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = str(getattr(error, "problem", error))
        if problem.endswith("is there twice"):
            raise PromptError(f"{path}{where}: {problem}; put all that belongs to it under one key") from None
        raise PromptError(f"{path}{where}: not YAML ({problem})") from None
    except (ValueError, RecursionError) as error:
        raise PromptError(
            f"{path}: not a file of prompts ({type(error).__name__}); write it as JSON or YAML"
        ) from None


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise _Repeated(repr(key))
        content[key] = value
    return content
