"""Errors that a user can fix; the command line shows each as one line and exits with code 2."""


class DentasamError(Exception):
    """Base of the errors that a user can fix. The message is one line: the file, what is wrong, and how to fix it."""


class DatasetError(DentasamError):
    """A dataset file is malformed or does not fit its images."""


class ImageError(DentasamError):
    """An image cannot be read as one grayscale radiograph."""


class CheckpointError(DentasamError):
    """A checkpoint is missing, damaged or not of the kind that was asked for."""


class AdapterError(DentasamError):
    """An adapter is missing, damaged or was trained on another base model."""


class ChartError(DentasamError):
    """A chart cannot be made: the model or its adapter has no chart head, or that is damaged or of another model."""


class RecipeError(DentasamError):
    """A recipe has an unknown key or a value out of range."""


class PromptError(DentasamError):
    """Clicks, boxes or mask prompts are malformed."""


class OutputError(DentasamError):
    """An output folder is in use or cannot be written."""


class PacsError(DentasamError):
    """A PACS cannot be reached, refuses a request, or answers with something else than was asked for."""


class WorkspaceError(DentasamError):
    """A labelling workspace cannot be opened, or is in use."""


class ExtraError(DentasamError):
    """An optional package is not installed."""
