"""The marked number on the pages: in the login, in what is typed, and in addresses."""

from __future__ import annotations

from collections.abc import Sequence

from demo.covenant import build_login
from demo.model import Case
from tests.connectors.pages.staffer import BLADES, Staffer
from tests.demo.test_portal import log_in
from tests.demo.world import World

PURPOSE = "coordinate_family_help"
_OWN = (
    "/", "/log", "/involved", "/wishes", "/consents", "/objections", "/questions", "/blocks",
    "/shield", "/downloads", "/downloads/family", "/check", "/downloads/proof.json",
    "/downloads/proof-copy.json", "/downloads/check.html", "/about/rights",
)  # fmt: skip
_STAFFS = ("/", "/ask", "/own", "/asked", "/contacts", "/to-tell", "/overview", "/urgent")


def walk_the_staffs_pages(world: World, case: Case, marked: Sequence[str]) -> None:
    """Ask about the marked person and a stranger, and type the number where it does not belong."""
    noor = Staffer(world.covenant.pages_url("social-team"))
    with noor.client:
        noor.log_in("noor")
        question = noor.begin(PURPOSE, "merk")
        noor.choose(question, "P-1")
        noor.ask(question)
        wanted = noor.want(question, "0.0", ["status"])
        reasons = dict.fromkeys(BLADES, f"Het gaat om {marked[0]}.")
        assert noor.send(f"{wanted}/why", reasons).status_code == 422
        assert noor.follow(f"{wanted}/check") == f"{wanted}/answer"
        stranger = case.people["other"]
        person = {"name": stranger.family_name, "born": stranger.born.isoformat()}
        question = noor.begin(PURPOSE, "merk")
        led = noor.follow(f"{question}/other", {"number": "P-9", **person})
        assert led == f"{question}/identify"
        record = {**person, "bsn": marked[1], "identity": "document"}
        assert noor.send(led, {**record, "name": "Iemand"}).status_code == 422
        assert noor.follow(led, record) == f"{question}/ladder"
        noor.ask(question)
        assert noor.send("/urgent", {"reason": marked[0], "bsn": marked[0]}).status_code == 422
        for path in _STAFFS:
            noor.read(path)
        for path in (f"/{marked[0]}", f"/ask/{marked[0]}/dat", f"/own/{marked[0]}"):
            assert noor.get(f"{path}?{marked[0]}={marked[0]}").status_code == 404


def walk_the_portals_pages(world: World, case: Case, marked: Sequence[str]) -> None:
    """Open every page as the marked person, and type the number where it does not belong."""
    own = Staffer(world.covenant.url("portal"))
    with own.client:
        log_in(world, own.client, build_login(case, "marked"))
        for path in _OWN:
            own.read(path)
        text = own.follow("/questions/new", {"to": "officer"})
        asked = own.send(text, {"text": f"Waarom staat {marked[0]} hier?"})
        assert asked.status_code == 422
        for what in ("pdf", "json"):
            copy = {"what": what, "remarks": marked[0]}
            assert own.send("/downloads/family", copy).status_code == 200
        assert own.send("/log", {"organisation": marked[0]}).status_code == 303
        own.read("/log")
        for path in (f"/{marked[0]}", f"/log/{marked[0]}"):
            assert own.get(f"{path}?{marked[0]}={marked[0]}").status_code == 404


def walk_the_officers_pages(world: World, marked: Sequence[str]) -> None:
    """Type the number into a draft, its cases, a reason and addresses at the broker's own pages."""
    daan = Staffer(world.covenant.pages_url("broker"))
    with daan.client:
        daan.log_in("daan")
        draft = daan.follow("/drafts/new", {"of": PURPOSE})
        text = f"id: coordinate_family_help\ntitle: {{nl: Voor {marked[0]}, en: x}}\n"
        for what, status in (("save", 422), ("look", 200)):
            _, hidden = daan.read_form(draft)
            sent = {"csrf": hidden["csrf"], "form_id": what, "view": "yaml", "text": text}
            assert daan.post(draft, {**sent, "do": what}).status_code == status
        cases = {"do": "cases", "cases": f"# {marked[1]}"}
        assert daan.send(f"{draft}/trial", cases).status_code == 422
        reason = {"reason": f"Vanwege {marked[0]}."}
        assert daan.send(f"/purposes/{PURPOSE}", reason).status_code == 422
        for path in ("/", "/purposes", f"/purposes/{PURPOSE}", "/calendar", "/partners", draft):
            daan.read(path)
        for path in (f"/{marked[0]}", f"/purposes/{marked[0]}", f"/drafts/{marked[0]}"):
            assert daan.get(f"{path}?{marked[0]}={marked[0]}").status_code == 404
