"""Cases on a broker of several processes, whose primary dies and whose keys are replaced meanwhile.

Small: two processes, two cases, the fail-over, the row key and the KEK, three partners. Whole: the
command itself with four processes, all cases and every key, as README says.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from demo.cli import app, open_folder
from demo.covenant import find_ports, prepare
from demo.model import load_cases, load_partners
from demo.processes import Processes
from demo.setting_up import build
from demo.several import balancer
from demo.several.keys import find_kept
from demo.several.playing import Meanwhile, TooFewCasesError
from demo.several.servers import NoServerError, Servers
from demo.several.soon import SOON
from demo.systems import postgres
from tests.serving import serving

pytestmark = [pytest.mark.processes, pytest.mark.postgres, pytest.mark.xdist_group("demo-several")]
ROOT = Path(__file__).resolve().parents[2]
START = "from datwat.cli import main; main()"
ALL_CASES = 7
CASES = (1, 5)
WHO = ("social-team", "youth-help", "debt-counselling", "income")


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short path that PostgreSQL's own user gets through, unlike pytest's folders."""
    folder = Path(tempfile.mkdtemp(prefix="dw-"))
    folder.chmod(0o711)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.timeout(600)
def test_cases_come_out_the_same_while_the_standby_takes_over(temporary: Path) -> None:
    if postgres.find_programs() is None:
        pytest.skip("no PostgreSQL server programs")
    cases = [case for case in load_cases() if case.number in CASES]
    partners = [partner for partner in load_partners() if partner.function in WHO]
    with (
        open_folder() as folder,
        Processes(folder, SOON) as processes,
        contextlib.closing(prepare(folder, partners, brokers=2)) as covenant,
    ):
        servers = Servers(folder, processes)
        build(covenant, cases, processes, lambda _: None, servers)
        acts = ("move", "fail_over", "settle")
        began = time.monotonic()
        meanwhile = Meanwhile(covenant, processes, servers, CASES, began=began, acts=acts)
        meanwhile.begin()
        for case in cases:
            assert meanwhile.play(case, lambda _: None) == []
        report = meanwhile.end()
    assert report.differences == []
    assert [one.case for one in report.done] == [1] * 4
    for name in ("broker row", "broker kek"):
        assert report.before[name] != report.after[name]
    assert report.mirror["entries"] >= report.mirror["log_size"] > 0
    assert report.mirror["counted_up_to"] > report.mirror["last_of_a_resident"] > 0
    assert report.mirror["seen_sizes"] > 1
    assert list(temporary.iterdir()) == []


@pytest.mark.long
@pytest.mark.timeout(1_500)
def test_all_cases_come_out_the_same_while_everything_is_replaced(
    temporary: Path, whole: bool
) -> None:
    if not whole:
        pytest.skip("whole in `make test-long`: some minutes on a machine of its own")
    done = subprocess.run(
        [sys.executable, "-c", START, "demo", "--brokers", "4", "--json"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=1_400,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    said = json.loads(done.stdout)
    assert [case["differences"] for case in said["cases"]] == [[]] * ALL_CASES
    beside = said["meanwhile"]
    assert beside["differences"] == []
    assert len(beside["keys"]) == 19
    assert all(key["before"] != key["after"] for key in beside["keys"].values())
    assert beside["mirror"]["entries"] >= beside["mirror"]["log_size"]
    assert beside["mirror"]["counted_up_to"] > beside["mirror"]["last_of_a_resident"]
    assert any("standby was promoted" in one["what"] for one in beside["done"])
    assert list(temporary.iterdir()) == []


def test_one_case_alone_leaves_nothing_to_show(temporary: Path) -> None:
    found = CliRunner().invoke(app, ["--brokers", "2", "--case", "5"])
    assert isinstance(found.exception, TooFewCasesError)


def test_a_key_that_stayed_is_noticed() -> None:
    before = {"broker log": "ab12", "broker row": "number 1", "policy keys": "aa bb", "gone": "1"}
    after = {"broker log": "ab12", "broker row": "number 2", "policy keys": "bb cc"}
    assert find_kept(before, after) == [
        "broker log is still ab12",
        "gone is gone",
        "policy keys still have bb",
    ]


def test_a_machine_without_a_server_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "find_programs", lambda: None)
    with Processes(tmp_path) as processes, pytest.raises(NoServerError, match="apt install"):
        Servers(tmp_path, processes)


def test_a_folder_whose_name_is_too_long_for_a_socket_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "find_programs", lambda: tmp_path)
    with Processes(tmp_path) as processes, pytest.raises(NoServerError, match="TMPDIR"):
        Servers(tmp_path / ("x" * 100), processes)


class _Upstream(BaseHTTPRequestHandler):
    """A process that says 503 to whoever asks for what it is not current in."""

    status = HTTPStatus.OK

    def do_GET(self) -> None:
        self.send_response(self.status)
        assert isinstance(self.server, ThreadingHTTPServer)
        content = str(self.server.server_port).encode()
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        pass


class _Waiting(_Upstream):
    status = HTTPStatus.SERVICE_UNAVAILABLE


def test_the_proxy_passes_over_who_is_away_or_not_current() -> None:
    (away,) = find_ports(1)
    with serving(_Upstream) as first, serving(_Waiting) as waiting, serving(_Upstream) as last:

        class Balanced(balancer.Handler):
            round = balancer.Round([first, waiting, away, last])

        with serving(Balanced) as port, httpx.Client(trust_env=False) as http:
            url = f"http://127.0.0.1:{port}"
            seen = [http.get(f"{url}/v1/log/checkpoint") for _ in range(8)]
            assert {answer.status_code for answer in seen} == {HTTPStatus.OK}
            assert [int(answer.text) for answer in seen] == [first, last, last, last] * 2
            officers = {http.get(f"{url}/v1/officers/drafts").text for _ in range(4)}
            assert officers == {str(first)}

        class NobodyElse(balancer.Handler):
            round = balancer.Round([waiting, away])

        with serving(NobodyElse) as port:
            answer = httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
            assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
