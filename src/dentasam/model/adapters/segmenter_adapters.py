"""Which adapter a segmenter's network computes with: switched by PEFT, or merged into the weights for good."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from dentasam.errors import AdapterError
from dentasam.model.adapters.folder import AdapterIdentity
from dentasam.model.checkpoints.loading import ModelInfo
from dentasam.model.network import Network
from dentasam.model.sam_hq import SamHQ


class AdapterSwitch(Protocol):
    """The adapters of one network. An adapter is given by its bundled name or its folder."""

    @property
    def in_use(self) -> str | None:
        """The adapter in use, as it was given; None for the base alone."""
        ...

    def load(self, source: str | Path) -> None:
        """Load an adapter and use it. Raises AdapterError."""
        ...

    def use(self, source: str | Path | None) -> None:
        """Use an adapter that is loaded already, or the base alone. Raises AdapterError."""
        ...

    def identity(self) -> AdapterIdentity | None:
        """The hashes of the adapter in use; None for the base alone. Raises AdapterError where it is gone."""
        ...

    def merged(self) -> tuple[Network, AdapterSwitch] | None:
        """A copy of the network with the adapter in use merged in; None where there is nothing to merge.

        Raises AdapterError where the adapter cannot be merged.
        """
        ...


class LoadedAdapters:
    """Adapters that PEFT keeps beside the weights of their base, so that switching copies nothing.

    PEFT takes seconds to import, so it is imported with the first adapter, and never for the base alone.
    """

    def __init__(self, model: SamHQ, base: ModelInfo) -> None:
        self.model, self.base = model, base
        self.in_use: str | None = None
        self._any = False

    def load(self, source: str | Path) -> None:
        """Load an adapter, unless it is loaded already, and use it. Raises AdapterError."""
        from dentasam.model.adapters.loading import load_adapter
        from dentasam.model.adapters.switching import adapter_names

        name = _peft_name(source)
        self._any = True
        if name not in adapter_names(self.model):
            load_adapter(self.model, source, self.base.sha256, name=name, base_name=self.base.name)
            self.model.to(self.model.device).eval()
        self.use(source)

    def use(self, source: str | Path | None) -> None:
        """Use an adapter that is loaded already, or the base alone. Raises AdapterError."""
        if source is None and not self._any:
            return
        from dentasam.model.adapters.switching import use_adapter

        use_adapter(self.model, None if source is None else _peft_name(source))
        self.in_use = None if source is None else str(source)

    def identity(self) -> AdapterIdentity | None:
        """The hashes of the adapter in use; None for the base alone. Raises AdapterError where it is gone."""
        return None if self.in_use is None else AdapterIdentity.of(self.in_use)

    def merged(self) -> tuple[Network, AdapterSwitch] | None:
        """A copy of the network with the adapter in use merged in; None without one. Raises AdapterError."""
        if not self._any:
            return None
        from dentasam.model.adapters.merging import merge_adapter
        from dentasam.model.adapters.switching import active_adapter

        active = active_adapter(self.model)
        if active is None:
            return None
        refusal = f"the adapter {self.in_use} is merged into this model; load the base again for another one"
        return merge_adapter(self.model, active), MergedAdapter(self.in_use, refusal, self.identity)


class MergedAdapter:
    """The one adapter that was merged into a network's weights, or none; any other is refused."""

    def __init__(self, in_use: str | None, refusal: str, identify: Callable[[], AdapterIdentity | None]) -> None:
        """refusal: the message of the AdapterError for another adapter. identify: gives the hashes."""
        self.in_use = in_use
        self._refusal, self._identify = refusal, identify

    def load(self, source: str | Path) -> None:
        """Raises AdapterError."""
        raise AdapterError(self._refusal)

    def use(self, source: str | Path | None) -> None:
        """Raises AdapterError for any adapter but the one that was merged."""
        if (None if source is None else str(source)) != self.in_use:
            raise AdapterError(self._refusal)

    def identity(self) -> AdapterIdentity | None:
        """The hashes of the adapter that was merged, or None."""
        return self._identify()

    def merged(self) -> None:
        """None: there is nothing to merge any more."""


def _peft_name(source: str | Path) -> str:
    """PEFT names adapters inside parameter names, where a dot would separate two modules. No two share a name."""
    return str(source).replace("_", "__").replace(".", "_d").replace("/", "_s")
