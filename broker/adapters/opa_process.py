"""One OPA as a child process: found, started closed to everybody else, ready, stopped.

Rules enforced: loopback only; every call needs a bearer token that exists in this process's memory
and, as a hash, in the `system.authz` policy on disk; only health and the four decisions can be
reached; the bundle is loaded only if its signature is that of this start (`build_opa_archive`);
readiness means that the bundle is active; nothing is asked before the port is this child's own, for
whoever takes it first would be told the token, and believed. No decision log, no call home.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import get_args

from broker.policy.bundle import BUNDLE_NAME, OpaKey, build_opa_archive
from broker.policy.decision import EntryPoint
from datwat.party.telemetry import get_logger
from datwat.protocol.bundle import Bundle
from datwat.protocol.errors import DatwatError

OPA_MINOR = (1, 22)
_REFUSED = {(1, 22, 0)}  # overlooks rules that hold (`x in {"a", input.y}`); mended in 1.22.1
_VERSION = re.compile(r"^Version: (\d+)\.(\d+)\.(\d+)\s*$", re.MULTILINE)
_VERSION_SECONDS = 10.0
_STOP_SECONDS = 3.0
CHECK_SECONDS = 1.0
CHECKS_FAILED = 5
_KEY_ID = "broker"
_GARBAGE = {"GOGC": "1000", "GOMEMLIMIT": "192MiB"}
_TEN_YEARS = 315_360_000
_SOCKETS = Path("/proc/net/tcp")
_LISTENING = "0A"
_LAUNCHER = Path(__file__).with_name("opa_child.py")
_PROJECT = Path(__file__).resolve().parents[2]
# What may be asked: the four decisions and nothing else.
DECISIONS: tuple[tuple[str, ...], ...] = tuple(
    ("v1", "data", "datwat", entry, "decision") for entry in get_args(EntryPoint)
)
_log = get_logger("policy")


class OpaMissingError(DatwatError):
    """There is no OPA here that fits."""

    code = "opa_missing"
    default_detail = (
        "No OPA 1.22 (1.22.1 or later) was found. Run `make setup`, put `opa` on the PATH, or name "
        "it in DATWAT_OPA."
    )


class OpaStartError(DatwatError):
    """OPA did not start, or did not have the bundle, within its time."""

    code = "opa_start"
    default_detail = "OPA did not become ready: it stopped, or it refused the policy bundle."


class OpaRefusedError(OpaStartError):
    """OPA refused the bundle, and will refuse it again."""

    code = "opa_refused"
    default_detail = (
        "OPA refused the policy bundle: a rule in it does not compile. `datwat purpose check` says "
        "which."
    )


async def find_opa(setting: str | None = None) -> Path:
    """Return the OPA to run: the one named (or in DATWAT_OPA), the project's own, or the PATH's.

    One that is named must fit, and no other is taken in its place. Raises OpaMissingError.
    """
    named = setting or os.environ.get("DATWAT_OPA")
    found = shutil.which("opa")
    candidates = (
        [Path(named)] if named else [_PROJECT / ".tools" / "opa", *([Path(found)] if found else [])]
    )
    for candidate in candidates:
        if await _is_fitting(candidate):
            return candidate.resolve()
    raise OpaMissingError


async def _is_fitting(binary: Path) -> bool:
    try:
        process = await asyncio.create_subprocess_exec(
            binary, "version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:
        return False
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _VERSION_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        return False
    found = _VERSION.search(output.decode("utf-8", "replace"))
    version = tuple(int(number) for number in found.groups()) if found else ()
    return version[:2] == OPA_MINOR and version not in _REFUSED


def build_authz_policy(token: str, paths: Sequence[Sequence[str]] = DECISIONS) -> str:
    """Return the `system.authz` policy that lets only this token reach health and these paths."""
    return f"""package system.authz

import rego.v1

default allow := false

allow if {{
	crypto.sha256(input.identity) == "{hashlib.sha256(token.encode()).hexdigest()}"
	reachable
}}

reachable if {{
	input.method == "GET"
	input.path == ["health"]
}}

reachable if {{
	input.method == "POST"
	input.path in {json.dumps(paths)}
}}
"""


class OpaProcess:
    """A running OPA with one bundle; a new bundle is a new process (`opa.py` swaps them)."""

    def __init__(
        self, process: asyncio.subprocess.Process, folder: Path, port: int, token: str
    ) -> None:
        self.port = port
        self.token = token
        self.has_refused = False  # the bundle: the file does not change, so it never will be active
        self._process = process
        self.folder = folder
        self._reader = asyncio.create_task(self._read_log())

    def __repr__(self) -> str:
        """Name the process and its port, never the token."""
        return f"OpaProcess(pid={self.pid}, port={self.port})"

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Tell whether the process has not ended."""
        return self._process.returncode is None

    @property
    def is_listening(self) -> bool:
        """Tell whether this very process holds the port, which everybody can read beforehand.

        While it does nobody else can. Linux: proc(5); elsewhere the system does not tell.
        """
        return sys.platform != "linux" or not _list_listeners(self.port).isdisjoint(
            _list_sockets(self.pid)
        )

    @classmethod
    async def start(
        cls, binary: Path, bundle: Bundle, paths: Sequence[Sequence[str]] = DECISIONS
    ) -> OpaProcess:
        """Start OPA with `bundle`; it is not ready yet. Raises OpaStartError if it cannot run."""
        token = secrets.token_urlsafe(32)
        folder = Path(tempfile.mkdtemp(prefix="datwat-opa-"))  # mode 0700
        authz = build_authz_policy(token, paths)
        # Beside the loop: of hundreds of purposes it is a good part of a second.
        await asyncio.to_thread(_write_files, folder, bundle, authz)
        port = _find_free_port()
        arguments = [
            "run", "--server", f"--addr=127.0.0.1:{port}", "--config-file=config.json",
            "--authentication=token", "--authorization=basic", "--log-level=error",
            "--log-format=json", "--skip-version-check", "--shutdown-grace-period=1",
            "--optimize-store-for-read-speed", "authz.rego",
        ]  # fmt: skip
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", "-S", str(_LAUNCHER), str(os.getpid()), str(binary), *arguments),
                cwd=folder,
                # Nothing of our environment: an OPA_… in it would turn a flag. With garbage let lie
                # for longer, a decision costs a quarter less CPU for some 70 MB more; a larger
                # bundle, whose garbage would be more, is held to the limit.
                env={"HOME": str(folder), "PATH": os.defpath, **_GARBAGE},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise OpaStartError from None
        return cls(process, folder, port, token)

    async def wait_until_lost(self, is_ready: Callable[[], Awaitable[bool]]) -> None:
        """Return when the process has ended, or has been of no use for several checks in a row.

        One that is stopped or hangs denies everything and never ends by itself.
        """
        failed = 0
        while failed < CHECKS_FAILED:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), CHECK_SECONDS)
                return
            failed = 0 if await is_ready() else failed + 1

    async def stop(self) -> None:
        """End the process, by force after three seconds, and remove its files. Idempotent."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
        except TimeoutError:
            # Stopped by SIGSTOP, say: only SIGKILL reaches it.
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        self.remove_files()

    def remove_files(self) -> None:
        """Remove what OPA has read by now, so that even a killed broker leaves nothing behind."""
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _read_log(self) -> None:
        """Pass on that OPA has errors of its own; its text, whatever it repeats, is dropped."""
        stream = self._process.stderr
        while stream is not None:
            try:
                line = await stream.readline()
            except ValueError:  # a line beyond the stream's limit: it is dropped
                continue
            if not line:
                return
            if b'"level":"error"' in line:
                is_bundle = b'"plugin":"bundle"' in line
                self.has_refused |= is_bundle
                _log.warning("opa_said", plugin="bundle" if is_bundle else None)


def _write_files(folder: Path, bundle: Bundle, authz: str) -> None:
    key = OpaKey.generate()
    archive = folder / "bundle.tar.gz"
    archive.write_bytes(build_opa_archive(bundle.archive, key))
    (folder / "authz.rego").write_text(authz, encoding="utf-8")
    config = {
        "bundles": {
            BUNDLE_NAME: {
                "resource": archive.as_uri(),
                "signing": {"keyid": _KEY_ID},
                # Never again: a new bundle is a new process, and the file is gone by then.
                "polling": {"min_delay_seconds": _TEN_YEARS, "max_delay_seconds": _TEN_YEARS},
            }
        },
        "keys": {_KEY_ID: {"algorithm": "ES256", "key": key.public_pem}},
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def _list_listeners(port: int) -> set[str]:
    """Return the inodes of the sockets that listen on an IPv4 port."""
    rows = [line.split() for line in _SOCKETS.read_text(encoding="ascii").splitlines()]
    return {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == _LISTENING}


def _list_sockets(pid: int) -> set[str]:
    """Return the inodes of the sockets of a process of ours; none once it has ended."""
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                found.add(str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]"))
    return found


def _find_free_port() -> int:
    """Return a loopback port that is free now; if another takes it first, OPA ends at once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
