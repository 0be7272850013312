"""What the product does with a file of each kind: a command, or the function that a command calls for it."""

import hashlib
import json
from pathlib import Path
from unittest.mock import patch

import numpy as np
import typer.main

from .examples import models, texts
from .kind import Bent, Read

LARGE = 20_000_000  # pixels


def command(*arguments: object) -> int:
    """Runs `dentasam` with these arguments and returns its exit code; raises what it raises."""
    from dentasam.cli.app import app

    given = [str(argument) for argument in arguments]
    code = typer.main.get_command(app)(args=given, prog_name="dentasam", standalone_mode=False)
    return int(code or 0)


def _beside(bent: Bent) -> Path:
    """Where `label` may write a COCO file: it names the images relative to itself."""
    return bent.folder / "written.json"


def _digest(*parts: object) -> str:
    summed = hashlib.sha256()
    for part in parts:
        summed.update(part if isinstance(part, bytes) else repr(part).encode())
    return summed.hexdigest()


def read_image(bent: Bent) -> str | int | None:
    """The header and the pixels, which must agree; or one of the commands that read images."""
    from dentasam.data.images.read import read_header
    from dentasam.data.images.read import read_image as read

    if bent.draw < 0.8 or _is_large(bent.file):
        header = read_header(bent.file)
        pixels = read(bent.file)
        assert pixels.shape == (header.height, header.width), f"header {header}, pixels {pixels.shape}"
        assert pixels.dtype in (np.uint8, np.uint16)
        return _digest(pixels.shape, pixels.tobytes())
    if bent.draw < 0.87:
        return command("data", "deidentify", bent.file, "--out", "out", "--key", "key.json")
    if bent.draw < 0.94:
        return predict(bent, "--boxes", "5,5,20,20", image=bent.file)
    # The images beside it are whole, so that there is something to label.
    return command("label", bent.folder, "--workspace", "work", "--export", "coco", "--out", _beside(bent))


def _is_large(path: Path) -> bool:
    """Whether a command would take long for what it does with the pixels, beside reading them."""
    from dentasam.data.images.read import read_header
    from dentasam.errors import ImageError

    try:
        header = read_header(path)
    except ImageError:
        return False
    return header.height * header.width > LARGE


def predict(bent: Bent, *options: object, image: Path | None = None) -> int:
    """`dentasam predict` with a small network."""
    from dentasam.cli import options as cli_options

    with patch.object(cli_options, "load_segmenter", lambda *given: models.small_segmenter()):
        named = bent.folder / texts.IMAGE if image is None else image
        return command("predict", named, *options, "--out", "out", "--no-windows")


def read_prompts(bent: Bent) -> int:
    return predict(bent, "--prompts", bent.file)


def read_boxes(bent: Bent) -> int:
    # A list of detections names its images by ids alone.
    beside = bent.folder / "images.json"
    options = ["--images-file", beside] if bent.draw < 0.5 and bent.file.name == "results.json" else []
    return predict(bent, "--boxes", bent.file, *options)


def read_coco(bent: Bent) -> int:
    """One of the commands that read a dataset."""
    path = bent.folder / "coco.json"
    if bent.draw < 0.3:
        return command("data", "import", path, "--out", "out")
    if bent.draw < 0.45:
        return command("data", "import", path, "--out", "out", "--skip-bad")
    if bent.draw < 0.65:
        return command("data", "check", path, "--json", "out.json")
    if bent.draw < 0.75:
        return command("data", "split", path, "--out", "out")
    if bent.draw < 0.85:
        return command("data", "export", path, "--format", "labels", "--out", "out")
    return command("label", path, "--workspace", "work", "--export", "coco", "--out", _beside(bent))


def imports(source: str, format: str | None = None) -> Read:
    """`dentasam data import`, with the format named or recognised."""

    def read(bent: Bent) -> int:
        named = ["--format", format] if format is not None and bent.draw < 0.7 else []
        skip = ["--skip-bad"] if bent.draw % 0.1 < 0.03 else []
        return command("data", "import", bent.folder / source, *named, *skip, "--out", "out")

    return read


def read_recipe(bent: Bent) -> None:
    from dentasam.training.recipe.recipe_file import load_any_recipe, write_recipe

    recipe = load_any_recipe(bent.file)
    write_recipe(recipe, Path("recipe.yaml"))
    assert load_any_recipe("recipe.yaml") == recipe


def read_settings(bent: Bent) -> None:
    """`--set`, of a recipe for adapters and one for charts."""
    from dentasam.training.recipe.recipe_file import load_any_recipe

    name = "encoder+decoder" if bent.draw < 0.8 else "chart"
    load_any_recipe(name, [bent.file.read_bytes().decode("utf-8", "surrogateescape")])


def read_workspace(bent: Bent) -> None:
    """What is read of a workspace before its database."""
    from dentasam.labelling.auth.kept_address import KeptAddress
    from dentasam.labelling.auth.passwords import Annotators
    from dentasam.labelling.workspace.workspace import Workspace

    with Workspace.open(bent.folder / "coco.json") as workspace:
        KeptAddress.of(workspace.root)
        Annotators.of(workspace.root)


def read_database(bent: Bent) -> str | int | None:
    """`dentasam label --export`; the digest of the objects."""
    source = bent.folder / "coco.json"
    if bent.draw < 0.1:
        return command("label", source, "--export", "log", "--out", "out.ndjson")
    if bent.draw < 0.2:
        return command("label", source, "--timing", "out.csv")
    code = command("label", source, "--export", "coco", "--out", _beside(bent))
    if code:
        return code
    document = json.loads(_beside(bent).read_text("utf-8"))
    return _digest(json.dumps([document["annotations"], document["images"]], sort_keys=True))


def read_checkpoint(bent: Bent) -> int:
    return command("models", "inspect", bent.file)


def read_adapter(bent: Bent) -> None:
    from dentasam.model.adapters.loading import load_adapter

    network, info = models.bundled_model()
    load_adapter(network, bent.folder / "adapter", info.sha256, base_name=info.name)


def read_chart_head(bent: Bent) -> str:
    from dentasam.model.chart.head import load_head

    head, _ = load_head(bent.folder / "head")
    return _digest(*(tensor.numpy().tobytes() for tensor in head.state_dict().values()))


def read_embedding(bent: Bent) -> str:
    """A damaged embedding counts as absent, and is deleted or computed anew."""
    from dentasam.errors import CheckpointError
    from dentasam.labelling.inference.encoding.embedding_store import EmbeddingStore
    from dentasam.model.embedding import ImageEmbedding
    from dentasam.training.samples.embedding_cache import EmbeddingCache

    try:
        if bent.file.is_file():
            ImageEmbedding.load(bent.file)
    except CheckpointError as error:
        if bent.file.name not in str(error):
            raise
    kept = EmbeddingStore(bent.folder / "store").get(models.PICTURE, models.MODEL)
    cache = EmbeddingCache(bent.folder / "cache", models.BASE)
    encoded = cache.load(cache.key(models.PICTURE))
    stored = None if encoded is None else _digest(*(tensor.numpy().tobytes() for tensor in vars(encoded).values()))
    # Absent is as good as whole.
    whole = "" if kept is None else _digest(kept.features.numpy().tobytes(), kept.hq.numpy().tobytes())
    return f"{whole or 'absent'} {stored or 'absent'}"


def read_exported(bent: Bent) -> None:
    from dentasam.cli import options

    options.load_segmenter(str(bent.folder / "exported"), None, "cpu", None, "auto")


def read_run(bent: Bent) -> None:
    """Two runs compared with few resamples and without pictures; the second is the bent one."""
    from dentasam.evaluation.comparison.comparison import compare_results
    from dentasam.evaluation.comparison.table import comparison_table
    from dentasam.evaluation.run_folder import NotMeasuredError, read_chart
    from dentasam.evaluation.run_folder import read_run as read

    folders = [bent.folder / "whole", bent.folder / "run"]
    results = [read(folder) for folder in folders]
    for folder in folders:
        try:
            read_chart(folder)
        except NotMeasuredError:
            continue
    comparison_table(compare_results(folders, results, 20, 0), None)


def read_training_state(bent: Bent) -> str:
    from dentasam.training.run.saved.run_state import load_state

    weights, optimiser = models.training_parts()
    progress = load_state(bent.folder, weights, optimiser, models.BASE)
    return _digest(progress, *(tensor.numpy().tobytes() for tensor in weights.values()))


def read_envelope(bent: Bent) -> None:
    from dentasam.errors import PromptError
    from dentasam.labelling.log.operations import OperationError, parse_operation
    from dentasam.labelling.wire.box_mask import MaskError
    from dentasam.labelling.wire.envelope import EnvelopeError, unpack

    try:
        document = unpack(bent.file.read_bytes())
        operations = document["operations"] if isinstance(document, dict) and "operations" in document else []
        for operation in operations if isinstance(operations, list) else []:
            parse_operation(operation)
    except (EnvelopeError, MaskError, OperationError) as error:
        # The server answers 422 with this line, which speaks of the request and of no file.
        raise PromptError(f"{bent.file.name}: {error}") from None
