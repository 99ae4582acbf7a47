"""What is given out over HTTP: public figures, the register, and each partner's own figures."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, insert, select

from broker.adapters.database import open_engine
from broker.adapters.log_tables import table_of
from broker.adapters.oversight_tables import ActRecord, MonthRecord
from broker.settings import BrokerSettings
from broker.transparency.figures import Month
from broker.transparency.processing_register import OWN_ACTIVITIES, derive_activity_id
from connectors.client.outgoing import Draft, Sent, build_envelope_members, build_sent, draw_rid
from datwat.party.settings import change_settings, load_settings
from datwat.protocol.canonical import decode_strict
from datwat.protocol.keys import SigningKey
from datwat.protocol.messages import FiguresObject
from datwat.protocol.own_figures import OwnFigures
from datwat.protocol.signing import build_message
from datwat.protocol.values import encode_moment
from tests.api.conftest import Served, problem, start, stop
from tests.exchange.world import BROKER, ON_EACH_DATABASE, World, now
from tests.oversight.planted import build_act
from tests.parties import run_command

pytestmark = [pytest.mark.processes, ON_EACH_DATABASE, pytest.mark.timeout(300)]
_ACTS, _MONTHS = table_of(ActRecord), table_of(MonthRecord)
_LAST = Month.before(now())
MONTH = _LAST.previous()
_AT = MONTH.from_at + timedelta(days=4)
_BURST = 40


@dataclass
class Given:
    """A served broker, and the database below it."""

    served: Served
    url: str

    def change(self, *statements: Any) -> None:  # noqa: ANN401 - statements
        engine = open_engine(self.url)
        with engine.begin() as conn:
            for statement in statements:
                conn.execute(statement)
        engine.dispose()

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.served.client.get(self.served.url + path, headers=headers)

    def figures(self, function: str, month: Month | str | None = MONTH) -> httpx.Response:
        return self.served.post(self.sign(function, month))

    def sign(self, function: str, month: Month | str | None = MONTH) -> Sent:
        extra: dict[str, Any] = {} if month is None else {"month": str(month)}
        return self.served.world.build(function, "own_figures", [], **extra)

    def restart(self) -> None:
        stop(self.served)
        self.served = start(self.served.world, self.served.log)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[Given]:
    folder = tmp_path_factory.mktemp("given")
    world = World(folder, database_url=database)
    change_settings(world.home, {"rate_burst": _BURST, "rate_per_second": 20})
    settings = load_settings(BrokerSettings, world.home)
    found = Given(start(world, folder / "log"), settings.database)
    team, debts = world.members["social-team"].id, world.members["debt-counselling"].id
    asked = [{**build_act(0, 1, one, _AT), "partner": team, "idx": 7_000_000 + one}
             for one in range(14)]  # fmt: skip
    released = [
        {**build_act(0, 1, one, _AT, act="release", source=debts), "partner": team,
         "idx": 7_001_000 + one, "permit": one < 3}
        for one in range(5)
    ]  # fmt: skip
    found.change(insert(_ACTS).values(asked), insert(_ACTS).values(released))
    yield found
    stop(found.served)


def read_own(response: httpx.Response) -> OwnFigures:
    assert response.status_code == 200, response.text
    return OwnFigures.model_validate_json(response.content)


def test_the_last_month_is_counted_before_anybody_asks(given: Given) -> None:
    engine, until = open_engine(given.url), time.monotonic() + 20
    held: list[str] = []
    while not held:
        assert time.monotonic() < until, "the last month was not counted"
        with engine.connect() as conn:
            held = list(conn.execute(select(_MONTHS.c.month)).scalars())
        time.sleep(0.05)
    engine.dispose()
    assert held == [str(_LAST)]


def test_anybody_reads_the_tables_of_a_month(given: Given) -> None:
    response = given.get(f"/v1/indicators/{MONTH}")
    assert response.status_code == 200, response.text
    found = response.json()
    assert (found["v"], found["month"]) == (1, str(MONTH))
    tables = {one["table"]: one for one in found["tables"]}
    # Two refusals are under ten: all of them together are given.
    (cell,) = tables["questions"]["cells"]
    assert (cell["codes"], cell["count"]) == (["permitted", "refused"], 19)
    assert tables["questions"]["title"]["nl"] == "Vragen over inwoners"
    assert cell["title"]["en"] == "Permitted + Refused"
    rows = list(csv.DictReader(io.StringIO(given.get(f"/v1/indicators/{MONTH}/csv").text)))
    assert {one["table"] for one in rows} == set(tables)
    (said,) = [one for one in rows if one["table"] == "questions"]
    assert (said["row"], said["count"]) == ("permitted + refused", "19")
    assert said["row_nl"] == "Toegestaan + Geweigerd"
    for table in tables.values():
        for one in table["cells"]:
            assert one["count"] in (None, 0) or one["count"] >= 10


def test_whoever_has_it_keeps_it(given: Given) -> None:
    for path, kind, caching in (
        (f"/v1/indicators/{MONTH}", "application/json", "public, max-age=86400"),
        (f"/v1/indicators/{MONTH}/csv", "text/csv; charset=utf-8", "public, max-age=86400"),
        ("/v1/processing-activities", "application/json", "public, max-age=60"),
    ):
        first = given.get(path)
        assert first.headers["content-type"] == kind
        assert first.headers["cache-control"] == caching
        assert first.headers["access-control-allow-origin"] == "*"
        assert "api-version" in first.headers
        tag = first.headers["etag"]
        for held in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = given.get(path, **{"If-None-Match": held})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
        assert given.get(path, **{"If-None-Match": '"other"'}).status_code == 200
        head = given.served.client.head(given.served.url + path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["etag"] == tag
    assert given.get(f"/v1/indicators/{MONTH}/csv", Accept="text/csv").status_code == 200
    refused = given.get(f"/v1/indicators/{MONTH}", Accept="text/csv")
    assert problem(refused)["code"] == "not_acceptable"


def test_a_month_that_is_none_or_not_over_is_refused(given: Given) -> None:
    ahead, running = str(_LAST.following().following()), str(_LAST.following())
    for month, status, code, said in (
        (running, 400, "month_unknown", "not over yet"),
        (ahead, 400, "month_unknown", "not over yet"),
        ("2026-13", 400, "month_unknown", "as year-month"),
        ("yesterday", 400, "month_unknown", "as year-month"),
        ("2026-10%0A", 400, "month_unknown", "as year-month"),
        ("2021-10", 404, "month_uncounted", "too long ago"),
    ):
        for path in (f"/v1/indicators/{month}", f"/v1/indicators/{month}/csv"):
            refused = given.get(path)
            found = problem(refused)
            assert (found["status"], found["code"]) == (status, code), path
            assert said in found["detail"]
            assert refused.headers["cache-control"] == "no-store"
            assert "yesterday" not in refused.text
    assert given.get("/v1/indicators/2026-10/more").status_code == 404
    assert given.served.client.post(given.served.url + f"/v1/indicators/{MONTH}").status_code >= 400


def test_every_activity_that_a_record_names_leads_somewhere(given: Given) -> None:
    register = given.get("/v1/processing-activities").json()
    assert register["rvva"] == "0.1"
    listed = {one["id"]: one for one in register["processing_activities"]}
    purposes = ["coordinate_family_help", "income_support", "debt_counselling"]
    named = [derive_activity_id(purpose, "inquire") for purpose in purposes]
    named += [derive_activity_id(None, act) for act in OWN_ACTIVITIES]
    for activity in named:
        found = given.get(f"/v1/processing-activities/{activity}")
        assert found.status_code == 200, activity
        assert found.json() == listed[str(activity)]
    assert given.get(f"/v1/processing-activities/{str(named[0]).upper()}").status_code == 200
    for other in (derive_activity_id("no_such_purpose", ""), "register", "%00", "0" * 400):
        refused = given.get(f"/v1/processing-activities/{other}")
        assert problem(refused)["code"] == "activity_unknown", other
        assert refused.status_code == 404


def test_a_partner_reads_its_own_use_and_no_other(given: Given) -> None:
    members = given.served.world.members
    team, debts = (
        read_own(given.figures("social-team")),
        read_own(given.figures("debt-counselling")),
    )
    assert (team.partner, team.month) == (members["social-team"].id, str(MONTH))
    rows = {(one.role, one.act): one for one in team.rows}
    assert set(rows) == {("requester", "inquire"), ("requester", "release")}
    asked, released = rows["requester", "inquire"], rows["requester", "release"]
    assert (asked.purpose, asked.asked, asked.refused) == ("coordinate_family_help", 14, 0)
    assert (released.asked, released.refused) == (5, 2)
    # The source hears of what was asked of it, and of no refusal.
    (as_source,) = debts.rows
    assert (as_source.role, as_source.act, as_source.asked) == ("source", "release", 3)
    assert read_own(given.figures("income")).rows == ()
    by_command = run_json(given, "figures", "partner", members["social-team"].id, "--month", MONTH)
    assert by_command["rows"] == [one.model_dump(mode="json") for one in team.rows]


def run_json(given: Given, *arguments: object) -> dict[str, Any]:
    home = ("--home", str(given.served.world.home))
    return run_command(*(str(one) for one in arguments), *home)


def test_nobody_else_can_be_named_and_no_stranger_is_heard(given: Given) -> None:
    world = given.served.world
    debts = world.members["debt-counselling"].id

    def sign(changes: dict[str, Any], key: SigningKey | None = None) -> Sent | bytes:
        member, rid = world.members["social-team"], draw_rid()
        envelope = build_envelope_members("own_figures", member.id, BROKER, now(), rid)
        draft = Draft("own_figures", (), extra={"month": str(MONTH)})
        sent = build_sent(draft, None, envelope=envelope, rid=rid, key=member.key)
        members = {**_read(sent), **changes}
        return _sign_again(members, key or member.key)

    for changes, code in (
        ({"partner": debts}, "input_invalid"),
        ({"iss": debts}, "message_issuer"),
        ({"v": 2}, "message_version"),
        ({"aud": debts}, "message_audience"),
        ({"month": "2026-13"}, "input_invalid"),
        ({"type": "own_wishes"}, "message_type"),
    ):
        found = problem(given.served.post(sign(changes), "/v1/own-figures"))
        assert found["code"] == code, (changes, found)
    stranger = sign({}, SigningKey.generate())
    assert problem(given.served.post(stranger, "/v1/own-figures"))["code"] == "message_key_unknown"
    portal = given.sign("portal")
    refused = given.served.post(portal)
    assert (refused.status_code, problem(refused)["code"]) == (403, "act_not_allowed")
    # At another route it is no act, and an act is no question for figures.
    assert given.served.post(given.sign("income"), "/v1/own-wishes").status_code >= 400


def _read(sent: Sent) -> dict[str, Any]:
    members: dict[str, Any] = decode_strict(sent.object_bytes)
    return members


def _sign_again(members: dict[str, Any], key: SigningKey) -> bytes:
    return build_message(members, (), key).to_bytes()


def test_a_message_is_good_for_one_time(given: Given) -> None:
    sent = given.sign("income")
    first = given.served.post(sent)
    assert first.status_code == 200
    assert given.served.post(sent).content == first.content
    message = FiguresObject.model_validate_json(sent.object_bytes)
    other = {**_read(sent), "month": str(MONTH.previous())}
    key = given.served.world.members["income"].key
    found = problem(given.served.post(_sign_again(other, key), "/v1/own-figures"))
    assert found["code"] == "rid_reused"
    # What is answered already may be sent again for ten minutes; what is not, within one.
    for age in (timedelta(minutes=5), timedelta(days=30)):
        old = {**_read(given.sign("income")), "iat": encode_moment(now() - age)}
        found = problem(given.served.post(_sign_again(old, key), "/v1/own-figures"))
        assert found["code"] == "message_expired"
    assert read_own(first).rid == message.rid


def test_a_month_is_asked_for_or_is_the_last_one(given: Given) -> None:
    assert read_own(given.figures("income", None)).month == str(_LAST)
    for month, code, status in (
        (_LAST.following(), "month_unknown", 400),
        (Month(2021, 10), "month_uncounted", 404),
    ):
        refused = given.figures("income", month)
        assert (refused.status_code, problem(refused)["code"]) == (status, code)


def test_who_asks_too_often_waits_and_nobody_else_does(given: Given) -> None:
    answers = [given.figures("school") for _ in range(3)]
    assert {one.status_code for one in answers} == {200}
    wires = [given.sign("shelter").wire for _ in range(_BURST + 60)]
    codes = set()
    for wire in wires:
        response = given.served.post(wire, "/v1/own-figures")
        if response.status_code != 200:
            codes.add(problem(response)["code"])
            break
    assert codes == {"rate_limited"}
    assert given.figures("school").status_code == 200
    assert given.get(f"/v1/indicators/{MONTH}").status_code == 200


def test_a_restart_gives_the_same_bytes_and_without_what_was_kept_it_would_not(
    given: Given,
) -> None:
    paths = (f"/v1/indicators/{MONTH}", f"/v1/indicators/{MONTH}/csv")
    before = [given.get(path).content for path in paths]
    rows = read_own(given.figures("social-team")).rows
    given.change(delete(_ACTS).where(_ACTS.c.idx >= 7_000_005))  # as an erasure ends them
    given.restart()
    assert [given.get(path).content for path in paths] == before
    assert read_own(given.figures("social-team")).rows == rows
    given.change(delete(_MONTHS))
    given.restart()
    assert [given.get(path).content for path in paths] != before
    assert read_own(given.figures("social-team")).rows != rows


def test_the_command_shows_what_everybody_reads(given: Given) -> None:
    public = given.get(f"/v1/indicators/{MONTH}").json()
    shown = run_json(given, "figures", "public", "--month", MONTH)
    assert [(one["table"], [(c["codes"], c["count"]) for c in one["cells"]])
            for one in shown["tables"]] == [
        (one["table"], [(c["codes"], c["count"]) for c in one["cells"]])
        for one in public["tables"]
    ]  # fmt: skip
