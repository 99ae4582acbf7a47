"""Every key that the trust list names is replaced while partners ask: no question fails.

One covenant of processes, of which none is restarted: key holder, broker, two connectors, witness.
"""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from connectors.client import requests as rq
from connectors.client.verification import verify_answer
from connectors.identity_key import load_signing_key
from datwat.party import own_keys_cli
from datwat.party.trust_list import parse_list
from datwat.protocol.acts import Statement
from datwat.protocol.notes import parse_note
from datwat.protocol.signing import build_message
from datwat.protocol.trust import TrustList
from demo.covenant import find_ports
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.faults.world import (
    FIELDS,
    MOTIVATION,
    NOOR,
    PURPOSE,
    RIGHTS,
    Direct,
    LaunchedParty,
    build_member,
    local_member,
    local_opening,
    opens,
)
from tests.keys.quick_keys import SETTLED
from tests.parties import Covenant, PartnerSpec, Party, run_command

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("rolled-keys"),
    pytest.mark.timeout(300),
]

WITNESS = "witness.example/w1"
_PEOPLE = 12
_KEYS = (
    ("connector", "social-team", "signing"),
    ("connector", "youth-help", "signing"),
    ("broker", "broker", "signing"),
    ("broker", "broker", "exchange"),
    ("broker", "broker", "log"),
    ("keyholder", "key-holder", "exchange"),
    ("witness", "witness", "signing"),
)


class RolledCovenant(Covenant):
    """A covenant with a witness, whose processes read lists often and go over soon."""

    def __init__(self, folder: Path, system: OwnSystem) -> None:
        self.witness = Party("witness", folder / "witness", "00000099000000004000:witness")
        self._has_witness = False
        super().__init__(
            folder,
            (
                PartnerSpec("social-team", "care", RIGHTS, number=1),
                PartnerSpec("youth-help", "youth", RIGHTS[:1], system.declaration, number=2),
            ),
            broker_environment={"DATWAT_WITNESS_SECONDS": "0.5"},
        )
        module = "tests.keys.quick_keys"
        self.key_holder = LaunchedParty.of(self.key_holder, module)
        self.broker = LaunchedParty.of(self.broker, module)
        self.partners = {
            name: LaunchedParty.of(party, module) for name, party in self.partners.items()
        }
        (port,) = find_ports(1)
        run_command(
            *("witness", "init", "--home", str(self.witness.home), "--id", self.witness.id),
            *("--name", WITNESS, "--url", f"http://127.0.0.1:{port}", "--port", str(port)),
        )
        self.witness = LaunchedParty.of(self.witness, module)
        self._has_witness = True
        card = str(self.witness.home / "card.json")
        run_command("trust", "add", card, "--folder", str(self.trust))
        run_command("trust", "require-witnesses", "1", "--folder", str(self.trust))
        self.sign()

    @property
    def parties(self) -> tuple[Party, ...]:
        more = (self.witness,) if self._has_witness else ()
        return (*super().parties, *more)

    @property
    def trust_list(self) -> TrustList:
        return parse_list(self.list_path.read_bytes())[0].trust

    @property
    def seq(self) -> int:
        return self.trust_list.seq

    def publish(self, *cards: Path, sign: tuple[str, ...] = ()) -> int:
        """Take up every card as it is now, sign the next list, and wait until all go by it."""
        homes = [party.home / "card.json" for party in self.parties]
        run_command("trust", "add", *map(str, (*homes, *cards)), "--folder", str(self.trust))
        run_command("trust", "sign", "--folder", str(self.trust), *sign)
        self.await_list(self.seq)
        return self.seq

    def await_list(self, seq: int) -> None:
        def is_held() -> bool:
            return all(
                run_command(party.command, "status", "--home", str(party.home))["list_seq"] == seq
                for party in self.parties
            )

        wait_until(is_held, f"list {seq} everywhere")

    def home(self, name: str) -> str:
        return str(self.folder / name)


class Asker:
    """Asks without a pause what only all parties together can answer, and keeps what failed."""

    def __init__(self, covenant: RolledCovenant) -> None:
        self._covenant = covenant
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._name = secrets.token_hex(4)
        self.rounds = 0
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join(60)

    def await_more(self, rounds: int = 4) -> None:
        """Wait until so many more rounds are done, and fail where one failed."""
        wanted = self.rounds + rounds
        wait_until(lambda: self.rounds >= wanted or bool(self.failures), "questions go on")
        assert self.failures == []

    def _run(self) -> None:
        with self._covenant.connect("social-team") as team:
            while not self._ended.is_set():
                try:
                    self._ask(team, self.rounds)
                except Exception as error:  # noqa: BLE001 - all that a caller may be told
                    self.failures.append(f"round {self.rounds}: {error!r} {error}")
                self.rounds += 1

    def _ask(self, team: Any, number: int) -> None:  # noqa: ANN401 - the local client
        place, occasion = number % _PEOPLE, f"{self._name}-{number}"
        client = rq.ClientRef(client=f"K-{place}")
        opened = team.open_occasion(local_opening(occasion, local_member(f"K-{place}", place)))
        assert opened.results[0].weighing.permitted, opened
        question = rq.Ask(professional=NOOR, clients=(client,), occasion=occasion, purpose=PURPOSE)
        pointers = team.ask_who_is_involved(question).results[0].pointers
        assert len(pointers) == 1, pointers
        got = team.ask_what_is_known(
            rq.AskKnown(
                professional=NOOR,
                client=client,
                occasion=occasion,
                purpose=PURPOSE,
                pointer=pointers[0].pointer,
                product="jeugdhulp",
                fields=tuple(FIELDS),
                motivation=MOTIVATION,
            )
        )
        assert got.failure is None, got
        assert set(got.values or {}) == set(FIELDS)


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, f"{what}: not within {seconds} s"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def covenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RolledCovenant]:
    system = OwnSystem(tmp_path_factory.mktemp("own"))
    for place in range(_PEOPLE):
        system.add(f"K-{place}", BSNS[place], f"Jansen{place}", "04-05-2012")
    with RolledCovenant(tmp_path_factory.mktemp("rolled"), system) as made:
        with made.connect("youth-help") as source:
            assert source.sync(rq.Sync(professional=NOOR)).failed == 0
        yield made


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_keys_cli, "SETTLED", SETTLED)
    monkeypatch.setattr(own_keys_cli, "FINISH_AFTER", timedelta(seconds=SETTLED + 1))


def test_all_listed_keys_are_replaced_under_questions(covenant: RolledCovenant) -> None:
    with Direct(covenant, "social-team") as direct, Asker(covenant) as asker:  # type: ignore[arg-type]
        asker.await_more()
        before = read_listed(covenant)
        old_key = load_signing_key(covenant.partners["social-team"].home)
        sent = build_opening(direct)
        early_answer = direct.send(sent).content

        for command, home, key in _KEYS:
            run_command(command, "keys", "rotate", key, "--home", covenant.home(home))
        time.sleep(SETTLED)  # `keys status` says from when on a list may name them
        asker.await_more(2)
        covenant.publish()
        time.sleep(SETTLED + 1)
        asker.await_more()
        for command, home, key in _KEYS:
            run_command(command, "keys", "finish", key, "--home", covenant.home(home))
        asker.await_more()
        covenant.publish()
        asker.await_more()

        after = read_listed(covenant)
        assert not before & after, "an old key is listed still"
        # What the old log key signed is proved by the list of today, which names that key on.
        log = covenant.trust_list.log
        verify_answer(early_answer, sent, log)
        assert len(log.vkeys) == 2
        note = parse_note(covenant_note(covenant))
        assert len({line.key_id for line in note.signatures if line.name == log.origin}) == 1
        assert load_signing_key(covenant.partners["social-team"].home).kid != old_key.kid
        # The old key of the partner is a stranger's now.
        refused = direct.post(
            covenant.broker, "/v1/acts", build_message({"v": 1}, (), old_key).to_bytes()
        )
        assert refused.status_code in {400, 401, 403, 404}


def asker_after_restart(covenant: RolledCovenant) -> None:
    with Asker(covenant) as asker:
        asker.await_more(2)


def build_opening(direct: Direct) -> Any:  # noqa: ANN401 - what was sent
    return direct.build(
        "open_occasion", [build_member(BSNS[1])], Statement(professional=NOOR, opens=opens())
    )


def read_listed(covenant: RolledCovenant) -> set[bytes]:
    """Return every public key of the list but those of covenant, policy, and log."""
    trust = covenant.trust_list
    found = {key.x for partner in trust.partners for key in partner.keys}
    found |= {key.x for key in trust.broker.keys} | set(trust.broker.x25519)
    found |= set(trust.key_holder.x25519)
    return found | {one.vkey.encode() for one in trust.witnesses}


def covenant_note(covenant: RolledCovenant) -> bytes:
    return httpx.get(f"{covenant.broker.url()}/v1/log/checkpoint", trust_env=False).content


def test_policy_keys_are_replaced_under_questions(covenant: RolledCovenant) -> None:
    with Asker(covenant) as asker:
        other = covenant.folder / "policy-2"
        run_command("purpose", "keys", "--folder", str(other))
        trust = ("--folder", str(covenant.trust))
        (old,) = run_command("trust", "show", str(covenant.list_path))["policy_kids"]
        covenant.publish(other / "card.json")
        asker.await_more(2)
        key = ("--key", str(other / "policy-1.key"))
        signed = run_command("purpose", "sign", "--folder", str(covenant.policy), *key)
        assert signed["signatures"] == 2
        time.sleep(SETTLED)
        run_command("trust", "end-policy-key", old, *trust)
        covenant.publish()
        asker.await_more()
        shown = run_command("trust", "show", str(covenant.list_path))
        assert shown["policy_kids"] != [old]
        assert len(shown["policy_kids"]) == 1
    # A connector that starts now believes what it kept, by the new key alone.
    source = covenant.partners["youth-help"]
    source.stop()
    source.restart()
    asker_after_restart(covenant)


def test_covenant_keys_are_replaced_under_questions(covenant: RolledCovenant) -> None:
    """Only a list that the old threshold signed introduces new keys; then those alone sign."""
    trust = ("--folder", str(covenant.trust))
    with Asker(covenant) as asker:
        asker.await_more(2)
        seq, good = covenant.seq, covenant.list_path.read_bytes()
        old_keys = sorted(covenant.trust.glob("covenant-*.key"))
        run_command("trust", "new-keys", "--keys", "3", "--threshold", "2", *trust)
        new_keys = sorted(set(covenant.trust.glob("covenant-*.key")) - set(old_keys))
        assert len(new_keys) == 3

        only_new = [word for path in new_keys for word in ("--key", str(path))]
        answer = run_command("trust", "sign", *trust, *only_new)
        assert not answer["complete"]
        # Somebody puts it out all the same: nobody goes by it.
        shutil.copy(covenant.trust / "trust-list.pending.json", covenant.list_path)
        time.sleep(3)
        covenant_seqs = {
            run_command(party.command, "status", "--home", str(party.home))["list_seq"]
            for party in covenant.parties
        }
        assert covenant_seqs == {seq}
        covenant.list_path.write_bytes(good)

        both = [word for path in old_keys for word in ("--key", str(path))]
        answer = run_command("trust", "sign", *trust, *both)
        assert answer["complete"]
        assert (answer["old_keys_signatures"], answer["old_keys_threshold"]) == (2, 2)
        covenant.await_list(seq + 1)
        asker.await_more(2)
        for path in old_keys:
            path.unlink()
        covenant.publish()
        assert covenant.seq == seq + 2
        asker.await_more()
