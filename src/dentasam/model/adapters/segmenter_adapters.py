"""Which adapter a segmenter's network computes with: switched by PEFT, or merged into the weights for good."""

from __future__ import annotations

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
        """The adapter in use as it was when it was loaded; None for the base alone."""
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
        self._loaded: dict[str, tuple[str, AdapterIdentity]] = {}  # its name in PEFT, by the adapter as it was given

    def load(self, source: str | Path) -> None:
        """Use an adapter, and load it unless it is loaded as it is on disk now. Raises AdapterError."""
        from dentasam.model.adapters.loading import load_adapter
        from dentasam.model.adapters.switching import adapter_names, remove_adapter

        identity = AdapterIdentity.of(source)
        name = _peft_name(source, identity)
        if name not in adapter_names(self.model):
            load_adapter(self.model, source, self.base.sha256, name=name, base_name=self.base.name)
            self.model.to(self.model.device).eval()
        earlier = self._loaded.get(str(source))
        self._loaded[str(source)] = name, identity
        self.use(source)
        if earlier is not None and earlier not in self._loaded.values():
            remove_adapter(self.model, earlier[0])

    def use(self, source: str | Path | None) -> None:
        """Use an adapter that is loaded already, or the base alone. Raises AdapterError."""
        if source is None and not self._loaded:
            return
        from dentasam.model.adapters.switching import use_adapter

        if source is not None and str(source) not in self._loaded:
            known = ", ".join(self._loaded) or "none"
            raise AdapterError(f"the adapter {str(source)!r} is not on this model (it has: {known}); load it first")
        use_adapter(self.model, None if source is None else self._loaded[str(source)][0])
        self.in_use = None if source is None else str(source)

    def identity(self) -> AdapterIdentity | None:
        """The adapter in use as it was when it was loaded; None for the base alone."""
        return None if self.in_use is None else self._loaded[self.in_use][1]

    def merged(self) -> tuple[Network, AdapterSwitch] | None:
        """A copy of the network with the adapter in use merged in; None without one. Raises AdapterError."""
        if not self._loaded:
            return None
        from dentasam.model.adapters.merging import merge_adapter
        from dentasam.model.adapters.switching import active_adapter

        active = active_adapter(self.model)
        if active is None:
            return None
        refusal = f"the adapter {self.in_use} is merged into this model; load the base again for another one"
        return merge_adapter(self.model, active, self.in_use), MergedAdapter(self.in_use, refusal, self.identity())


class MergedAdapter:
    """The one adapter that was merged into a network's weights, or none; any other is refused."""

    def __init__(self, in_use: str | None, refusal: str, identity: AdapterIdentity | None) -> None:
        """refusal: the message of the AdapterError for another adapter."""
        self.in_use = in_use
        self._refusal, self._identity = refusal, identity

    def load(self, source: str | Path) -> None:
        """Raises AdapterError."""
        raise AdapterError(self._refusal)

    def use(self, source: str | Path | None) -> None:
        """Raises AdapterError for any adapter but the one that was merged."""
        if (None if source is None else str(source)) != self.in_use:
            raise AdapterError(self._refusal)

    def identity(self) -> AdapterIdentity | None:
        """The hashes of the adapter that was merged, or None."""
        return self._identity

    def merged(self) -> None:
        """None: there is nothing to merge any more."""


def _peft_name(source: str | Path, identity: AdapterIdentity) -> str:
    """The name in PEFT of an adapter as it is now, so that one that was trained again is another one.

    PEFT names adapters inside parameter names, where a dot would separate two modules. No two share a name.
    """
    given = str(source).replace("_", "__").replace(".", "_d").replace("/", "_s")
    return f"{given}_{identity.weights_sha256[:16]}_{identity.settings_sha256[:16]}"
