"""Which isolation this machine offers, found by trying each tier and attacking it from within."""

from __future__ import annotations

import platform
import sys
import time
from functools import cache
from typing import Any

from rlar.errors import SandboxError
from rlar.sandbox.channel import ChannelClosed, ChannelGarbage, ChannelTimeout
from rlar.sandbox.results import Limits, TierReport, TierState

NATIVE_TIERS = ("ns", "ll", "sec")
_CHECK_SECONDS = 20.0
_REMEDIES = {
    "ns": (
        "allow unprivileged user namespaces: `sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000`; "
        "Ubuntu 23.10 and later: `sysctl kernel.apparmor_restrict_unprivileged_userns=0` or an AppArmor profile for this "
        "Python; Docker: `--security-opt seccomp=unconfined --security-opt systempaths=unconfined`"
    ),
    "ll": "a kernel of 5.13 or later with Landlock in /sys/kernel/security/lsm (boot option `lsm=landlock,...`)",
    "sec": "Linux on x86_64 or aarch64 with CONFIG_SECCOMP_FILTER",
}


def probe() -> TierReport:
    """What tiers this machine has, why others are missing, and how to get them. Takes about half a second."""
    states = [_try_native(tier) for tier in NATIVE_TIERS]
    best = next((state.tier for state in states if state.available), None)
    return TierReport(
        best=best,
        tiers=tuple(states),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
    )


@cache
def best_tier() -> tuple[str | None, str]:
    """The strongest tier that works here, and why the stronger ones do not; tried once per process."""
    reasons: list[str] = []
    for tier in NATIVE_TIERS:
        state = _try_native(tier)
        if state.available:
            return tier, "; ".join(reasons)
        reasons.append(f"{tier}: {state.reason}")
    return None, "; ".join(reasons)


def _try_native(tier: str) -> TierState:
    """Start a bare fork server on this tier and let a child try what it must not be able to do."""

    def missing(reason: str) -> TierState:
        return TierState(tier, False, reason, _REMEDIES[tier])

    if not sys.platform.startswith("linux"):
        return missing(f"{platform.system()} is not Linux; use a Linux container or WSL")
    from rlar.sandbox.fork_server import ForkServer, encode_limits

    server = ForkServer(tier, [])
    try:
        info = server.start()
        child = server.fork("check", encode_limits(Limits()))
        try:
            escapes: Any = child.channel.receive(time.monotonic() + _CHECK_SECONDS, 1 << 16)
        except (ChannelTimeout, ChannelClosed, ChannelGarbage) as error:
            return missing(f"its self-check did not end ({type(error).__name__})")
        finally:
            server.end(child)
    except SandboxError as error:
        return missing(str(error).rpartition("this machine: ")[2])
    finally:
        server.close()
    if escapes != {}:
        return missing(f"a process inside could: {', '.join(map(str, escapes))[:300]}")
    return TierState(tier, True, "", details={"landlock_abi": info.get("landlock", 0)})
