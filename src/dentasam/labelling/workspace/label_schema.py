"""The labels of a workspace: `schema.yaml` in it, which users edit. The file beside this one is the default."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from dentasam.documents.error import DocumentError
from dentasam.documents.validation import first_error
from dentasam.documents.yaml_document import read_yaml
from dentasam.errors import WorkspaceError
from dentasam.files.atomic_write import write_atomically
from dentasam.labelling.wire.fields import NewName, NewTitle
from dentasam.labelling.workspace.tidy_sizes import DEFAULT_TIDY, Tidy

DEFAULT_FILE = Path(__file__).with_name("schema.yaml")
Kind = Literal["tooth", "restoration", "lesion", "other"]
PART_KINDS: tuple[Kind, ...] = ("restoration", "lesion")
# The difference between the largest and the smallest of red, green and blue; grayer colours vanish on an X-ray.
MIN_CHROMA = 64
MAX_LABELS = 500


def _check_chroma(colour: str) -> str:
    channels = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    if max(channels) - min(channels) < MIN_CHROMA:
        raise ValueError(f"{colour} is grey or nearly so, and cannot be seen on an X-ray; choose a colour")
    return colour.lower()


Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$"), AfterValidator(_check_chroma)]


class Label(BaseModel):
    """One label. The name is what exports carry (a tooth's FDI number), the title what people read.

    tidy: what goes from the model's masks of this label, where it differs from the workspace's.
    prefers: what a first click means where it may mean either; None is the part for restorations and lesions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: NewName
    title: NewTitle
    kind: Kind = "other"
    colour: Colour
    tidy: Tidy | None = None
    prefers: Literal["part", "whole"] | None = None


class LabelSchema(BaseModel):
    """The labels of a workspace, in the order they are shown, and what is tidied in the model's masks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: Annotated[tuple[Label, ...], Field(min_length=1, max_length=MAX_LABELS)]
    tidy: Tidy = DEFAULT_TIDY

    @field_validator("labels")
    @classmethod
    def _check_names_differ(cls, labels: tuple[Label, ...]) -> tuple[Label, ...]:
        name, count = Counter(label.name for label in labels).most_common(1)[0]
        if count > 1:
            raise ValueError(f"the label {name!r} is there twice")
        return labels

    @staticmethod
    def default() -> "LabelSchema":
        """32 permanent and 20 deciduous teeth by FDI, restorations and lesions."""
        return LabelSchema.load(DEFAULT_FILE)

    @staticmethod
    def load(path: Path) -> "LabelSchema":
        """Reads a YAML file. Raises WorkspaceError that names the file, the place and what is wrong there."""
        try:
            content = read_yaml(path)
        except OSError as error:
            raise WorkspaceError(f"{path} cannot be read ({error.strerror}); check its permissions") from None
        except DocumentError as error:
            raise WorkspaceError(f"{path} is not valid YAML ({error}); fix or delete it") from None
        try:
            return LabelSchema.model_validate(content)
        except ValidationError as error:
            raise WorkspaceError(f"{path}: {first_error(error)}; fix it, or delete it to get the default") from None

    def save(self, path: Path) -> None:
        """Writes a YAML file, all or nothing. Raises WorkspaceError if it cannot be written."""
        lines = [yaml.safe_dump([_plain(label)], **_YAML) for label in self.labels]
        tidy = yaml.safe_dump({"tidy": self.tidy.model_dump(exclude_none=True)}, **_YAML)
        text = f"{_ABOUT_TIDY}{tidy}{_ABOUT_LABELS}"
        try:
            with write_atomically(path, durable=True, private=True) as draft:
                draft.write_text(text + "labels:\n" + "".join(lines), encoding="utf-8")
        except OSError as error:
            raise WorkspaceError(
                f"{path} cannot be written ({error.strerror}); make room or check its permissions"
            ) from None

    def tidy_of(self, name: str | None) -> Tidy:
        """The sizes below which islands and holes are removed from the model's masks of a label.

        A label without sizes of its own has the workspace's.
        """
        own = next((label.tidy for label in self.labels if label.name == name), None)
        return (own or Tidy()).with_defaults(self.tidy).with_defaults(DEFAULT_TIDY)

    def prefers_part(self, name: str | None) -> bool:
        """Whether a first click means a part, such as the filling of a tooth, for objects of a label."""
        label = next((label for label in self.labels if label.name == name), None)
        if label is None:
            return False
        return label.kind in PART_KINDS if label.prefers is None else label.prefers == "part"


_YAML: dict[str, Any] = {"default_flow_style": None, "sort_keys": False, "allow_unicode": True, "width": 200}


_ABOUT_TIDY = (
    "# tidy: islands and holes of the model's masks that are smaller go by themselves; below 1 a share of the\n"
    "# object, from 1 on pixels, 0 keeps them. A label may have a tidy of its own.\n"
)
_ABOUT_LABELS = (
    "# name: what exports carry; kind: tooth, restoration, lesion or other; colour: #rrggbb, no grey.\n"
    "# prefers: part or whole, which a first click means; if left out, the part for restorations and lesions.\n"
)


def _plain(label: Label) -> dict[str, Any]:
    return label.model_dump(exclude_none=True)
