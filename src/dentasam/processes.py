"""The processes that `accelerate launch` or torchrun starts for one command."""

from collections.abc import Iterator
from contextlib import contextmanager

# Imported before there is a group: its functions keep the group of that moment as a default, and never free it.
import torch.distributed.nn.functional  # noqa: F401
from accelerate import Accelerator
from accelerate.utils import gather_object

from dentasam.errors import DentasamError


@contextmanager
def launched(cpu: bool) -> Iterator[Accelerator]:
    """This process among those of its command; their group ends when the command is done or fails.

    A group that is still there has threads that may hold tensors while the interpreter shuts down; they then ask for
    its lock, and the process ends by SIGABRT after all its work was done (pytorch/pytorch#179291).
    """
    accelerator = Accelerator(cpu=cpu)
    try:
        yield accelerator
    finally:
        accelerator.state.destroy_process_group()


@contextmanager
def all_or_none(accelerator: Accelerator) -> Iterator[None]:
    """Ends the block in all processes alike: an error of one process is raised in each, that of the first one first.

    Without it the others would wait for a process that is gone, and report the lost connection, not the error.
    """
    error: DentasamError | None = None
    try:
        yield
    except DentasamError as raised:
        error = raised
    errors = gather_object([error]) if accelerator.num_processes > 1 else [error]
    for met in errors:
        if met is not None:
            raise met
