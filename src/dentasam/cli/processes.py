"""The processes that `accelerate launch` or torchrun starts for one command."""

from collections.abc import Iterator
from contextlib import contextmanager

# Imported before there is a group: its functions keep the group of that moment as a default, and never free it.
import torch.distributed.nn.functional  # noqa: F401
from accelerate import Accelerator


@contextmanager
def launched(cpu: bool) -> Iterator[Accelerator]:
    """This process among those of its command, and the end of their group when the command is done or fails.

    A group that is still there has threads that may hold tensors while the interpreter is taken down; they then
    ask for its lock, and the process ends by SIGABRT after all its work was done (pytorch/pytorch#179291).
    """
    accelerator = Accelerator(cpu=cpu)
    try:
        yield accelerator
    finally:
        accelerator.state.destroy_process_group()
