"""The labels of a workspace: `schema.yaml` there, for a dentist to edit; `schema.yaml` here is the default."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from dentasam.atomic_write import write_atomically
from dentasam.errors import WorkspaceError
from dentasam.labelling.wire.fields import Name, first_error
from dentasam.labelling.workspace.tidy_sizes import DEFAULT_TIDY, Tidy

DEFAULT = Path(__file__).with_name("schema.yaml")
Kind = Literal["tooth", "restoration", "lesion", "other"]
# Between the largest and the smallest of red, green and blue; below it a colour vanishes on an X-ray.
LEAST_CHROMA = 64
MOST_LABELS = 500


def _coloured(colour: str) -> str:
    channels = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    if max(channels) - min(channels) < LEAST_CHROMA:
        raise ValueError(f"{colour} is grey or nearly so, and cannot be seen on an X-ray; choose a colour")
    return colour.lower()


Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$"), AfterValidator(_coloured)]


class Label(BaseModel):
    """One label. The name is what exports carry (a tooth's FDI number), the title what people read.

    tidy: what goes from the model's masks of this label, where it differs from the workspace's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    title: Name
    kind: Kind = "other"
    colour: Colour
    tidy: Tidy | None = None


class LabelSchema(BaseModel):
    """The labels of a workspace, in the order they are shown, and what is tidied in the model's masks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: Annotated[tuple[Label, ...], Field(min_length=1, max_length=MOST_LABELS)]
    tidy: Tidy = DEFAULT_TIDY

    @field_validator("labels")
    @classmethod
    def _names_differ(cls, labels: tuple[Label, ...]) -> tuple[Label, ...]:
        name, count = Counter(label.name for label in labels).most_common(1)[0]
        if count > 1:
            raise ValueError(f"the label {name!r} is there twice")
        return labels

    @staticmethod
    def default() -> "LabelSchema":
        """32 permanent and 20 deciduous teeth by FDI, restorations and lesions."""
        return LabelSchema.load(DEFAULT)

    @staticmethod
    def load(path: Path) -> "LabelSchema":
        """Reads a YAML file. Raises WorkspaceError naming the file, the place and what is wrong there."""
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
        except OSError as fault:
            raise WorkspaceError(f"{path} cannot be read ({fault.strerror}); check its permissions") from None
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as fault:
            raise WorkspaceError(f"{path} is no YAML ({' '.join(str(fault).split())}); mend or delete it") from None
        try:
            return LabelSchema.model_validate(content)
        except ValidationError as fault:
            raise WorkspaceError(f"{path}: {first_error(fault)}; mend it, or delete it for the default") from None

    def save(self, path: Path) -> None:
        """Writes YAML, all or nothing. Raises WorkspaceError where it cannot."""
        lines = [yaml.safe_dump([_plain(label)], **_YAML) for label in self.labels]
        tidy = yaml.safe_dump({"tidy": self.tidy.model_dump(exclude_none=True)}, **_YAML)
        text = f"{_ABOUT_TIDY}{tidy}{_ABOUT_LABELS}"
        try:
            with write_atomically(path, durable=True, private=True) as draft:
                draft.write_text(text + "labels:\n" + "".join(lines), encoding="utf-8")
        except OSError as fault:
            raise WorkspaceError(f"{path} cannot be written ({fault.strerror}); make room or mend access") from None

    def tidy_of(self, name: str | None) -> Tidy:
        """Which islands and holes go from the model's masks of a label; the workspace's for one that has none."""
        own = next((label.tidy for label in self.labels if label.name == name), None)
        return (own or Tidy()).with_defaults(self.tidy).with_defaults(DEFAULT_TIDY)


_YAML: dict[str, Any] = {"default_flow_style": None, "sort_keys": False, "allow_unicode": True, "width": 200}


_ABOUT_TIDY = (
    "# tidy: islands and holes of the model's masks that are smaller go by themselves; below 1 a share of the\n"
    "# object, from 1 on pixels, 0 keeps them. A label may have a tidy of its own.\n"
)
_ABOUT_LABELS = "# name: what exports carry; kind: tooth, restoration, lesion or other; colour: #rrggbb, no grey.\n"


def _plain(label: Label) -> dict[str, Any]:
    return label.model_dump(exclude_none=True)
