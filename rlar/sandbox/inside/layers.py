"""What holds the processes of each tier. A tier that is not named here has no layers and therefore cannot be started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers of one tier."""

    namespaces: bool
    landlock: Literal["needed", "where there is one", "no"]
    seccomp: bool
    """Also: no new privileges, no capabilities, limits on the server."""
    files: bool
    """Whether the system call filter lets files be opened at all."""

    @property
    def threads(self) -> bool:
        """Only a user namespace bounds the number of threads, so elsewhere there are none."""
        return self.namespaces or not self.seccomp


_TIERS = {
    "ns": Layers(namespaces=True, landlock="where there is one", seccomp=True, files=True),
    "ll": Layers(namespaces=False, landlock="needed", seccomp=True, files=True),
    "sec": Layers(namespaces=False, landlock="no", seccomp=True, files=False),
    "unsafe": Layers(namespaces=False, landlock="no", seccomp=False, files=True),
}


def layers_of(tier: object) -> Layers:
    """The layers of a tier, spelled exactly. ValueError for anything else: what is not known runs nothing."""
    layers = _TIERS.get(tier) if type(tier) is str else None
    if layers is None:
        raise ValueError(f"{ascii(tier)[:80]} is no tier of this sandbox")
    return layers
