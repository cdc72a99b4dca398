"""Which hosts the tools of a registry may talk to, and which secret goes to which: the user says both, a registry neither.

A registry may come from anybody, and its judges, http tools and reward models name addresses. Before one is used, the
user has to have allowed its host. A secret goes to the one host that the user bound it to. Loopback is no exception: a
service that listens there trusts whoever can reach it.

A host is scheme, name and port, compared letter by letter once the letters are small and the usual port is filled in: no
wildcards, no suffixes, no look-ups. What two parsers could read in two ways (user@host, backslashes, percent signs,
other alphabets, a dot at the end) is no address at all. Proxies named in the environment are the user's, and are used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from rlar.errors import ConfigError, HostRefused, ToolError

ALLOW_VARIABLE = "RLAR_ALLOW_HOSTS"
"""Hosts that tools may talk to: "https://judge.example http://127.0.0.1:8000"."""
TOKEN_VARIABLE = "RLAR_TOKEN_FOR"
"""Whose secret goes where: "https://judge.example=JUDGE_KEY", the name of another variable behind the host."""
LLM_VARIABLE = "RLAR_LLM"
LLM_KEY = "RLAR_LLM_KEY"
OPENAI_URL = "https://api.openai.com/v1"
OPENAI_KEY = "OPENAI_API_KEY"

_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*)"
    r"(:(?P<port>[1-9][0-9]{0,4}))?(?P<path>/[!-~]*)?",
    re.ASCII | re.IGNORECASE,
)
_USUAL_PORT = {"http": 80, "https": 443}
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Host(NamedTuple):
    """Where a connection goes."""

    scheme: str
    name: str
    port: int

    def __str__(self) -> str:
        """As a user types it."""
        port = "" if self.port == _USUAL_PORT[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.name}{port}"


def host_of(address: str) -> Host:
    """The host of a base URL. Raises ValueError, which does not repeat the address: it may hold a password."""
    match = _ADDRESS.fullmatch(address)
    if match is None or set(match["path"] or "") & set("?#\\"):
        raise ValueError("no plain address like https://host or http://host:8000/path, in ASCII, without user or query")
    scheme = match["scheme"].lower()
    port = int(match["port"]) if match["port"] else _USUAL_PORT[scheme]
    if port > 65535:
        raise ValueError(f"no port {port}")
    return Host(scheme, match["host"].lower(), port)


@dataclass(frozen=True)
class Network:
    """What the user allows. Holds names of variables, never what is in them, so it may be shown and pickled."""

    allowed: frozenset[Host] = frozenset()
    variables: Mapping[Host, str] = field(default_factory=dict)
    """Host -> the environment variable whose value is its secret."""

    @classmethod
    def of_user(cls, hosts: Iterable[str] = (), *, llm: str = "") -> Self:
        """What the environment and the caller allow.

        Args:
            hosts: allowed besides those of RLAR_ALLOW_HOSTS.
            llm: the endpoint that the user named for this work ("http://host/v1#model"): allowed, and given RLAR_LLM_KEY.

        Raises:
            ConfigError: something that is no host, or no binding.
        """
        entries = [*re.split(r"[\s,]+", os.environ.get(ALLOW_VARIABLE, "")), *hosts]
        allowed = {_bare(each, f"--allow-host ({ALLOW_VARIABLE})") for each in entries if each}
        variables = {}
        for named in (os.environ.get(LLM_VARIABLE, ""), llm):
            if (host := _llm_host(named)) is not None:
                variables[host] = LLM_KEY
        if (host := _llm_host(llm)) is not None:
            allowed.add(host)
        variables[host_of(OPENAI_URL)] = OPENAI_KEY
        for binding in filter(None, re.split(r"[\s,]+", os.environ.get(TOKEN_VARIABLE, ""))):
            where, _, name = binding.rpartition("=")
            if not where or not _NAME.fullmatch(name):
                raise ConfigError(
                    f"{TOKEN_VARIABLE}: expected https://host=VARIABLE, the name of a variable behind `=`"
                )
            variables[_bare(where, TOKEN_VARIABLE)] = name
        return cls(frozenset(allowed), variables)

    def permit(self, address: str, tool: str) -> None:
        """Raise HostRefused, which says what to type, where the user has not allowed the host of an address."""
        try:
            host = host_of(address)
        except ValueError as error:
            raise ToolError(f"{tool} names an address that is not used: {error}") from None
        if host not in self.allowed:
            raise HostRefused(
                f"{tool} talks to {host}, which you have not allowed; if you know that host, say --allow-host {host} "
                f"(or export {ALLOW_VARIABLE}={host})"
            )

    def secret(self, address: str) -> str:
        """The secret that the user bound to the host of an address; "" where there is none.

        Raises ConfigError where the variable holds what cannot be a secret.
        """
        name = self.variables.get(host_of(address))
        value = os.environ.get(name, "").strip() if name is not None else ""
        if not value.isascii() or (value and not value.isprintable()) or " " in value:
            raise ConfigError(f"what {name} holds cannot be a key: keys are ASCII, in one piece")
        return value


def _bare(text: str, option: str) -> Host:
    """A host as a user writes it: no path, since a path would limit nothing."""
    try:
        host = host_of(text)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from None
    if text.partition("://")[2].partition("/")[2]:
        raise ConfigError(f"{option} {text}: a host has no path; say {host}")
    return host


def _llm_host(endpoint: str) -> Host | None:
    """The host of "openai:MODEL" or "http://host/v1#MODEL"; None for "none"."""
    if endpoint.startswith("openai:"):
        return host_of(OPENAI_URL)
    if "://" not in endpoint:
        return None
    try:
        return host_of(endpoint.strip().partition("#")[0])
    except ValueError as error:
        raise ConfigError(f"--llm (or {LLM_VARIABLE}): {error}") from None
