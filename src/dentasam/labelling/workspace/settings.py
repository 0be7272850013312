"""The settings of a workspace that the page can change: `settings.yaml` in it."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from dentasam.documents.error import DocumentError
from dentasam.documents.validation import first_error
from dentasam.documents.yaml_document import read_yaml
from dentasam.errors import WorkspaceError
from dentasam.files.atomic_write import write_atomically

FILE_NAME = "settings.yaml"


class WorkspaceSettings(BaseModel):
    """proposals: whether the model proposes teeth before anybody clicks, where it can."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    proposals: bool = True

    @staticmethod
    def of(folder: Path) -> WorkspaceSettings:
        """The settings in a workspace's folder; the defaults without a file. Raises WorkspaceError."""
        path = folder / FILE_NAME
        try:
            content = read_yaml(path)
            return WorkspaceSettings.model_validate({} if content is None else content)
        except FileNotFoundError:
            return WorkspaceSettings()
        except ValidationError as error:
            raise WorkspaceError(f"{path}: {first_error(error)}; fix it, or delete it for the defaults") from None
        except (OSError, DocumentError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise WorkspaceError(f"{path} cannot be read as YAML ({reason}); fix or delete it") from None

    def save(self, folder: Path) -> None:
        """Writes them, all or nothing. Raises WorkspaceError if they cannot be written."""
        path = folder / FILE_NAME
        try:
            with write_atomically(path, durable=True, private=True) as draft:
                draft.write_text(yaml.safe_dump(self.model_dump()), encoding="utf-8")
        except OSError as error:
            raise WorkspaceError(
                f"{path} cannot be written ({error.strerror}); make room or check its permissions"
            ) from None
