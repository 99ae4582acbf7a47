"""Two epochs of a key holder, and what leads from one to the other."""

from __future__ import annotations

from dataclasses import dataclass, field

from broker.pseudonyms.rotation import Turn
from datwat.protocol import group


@dataclass
class Scalars:
    """The scalars of epoch 1 and 2, as only the key holder has them."""

    one: bytes = field(default_factory=group.random_scalar)
    two: bytes = field(default_factory=group.random_scalar)

    @property
    def public_keys(self) -> dict[int, bytes]:
        return {1: group.multiply_base(self.one), 2: group.multiply_base(self.two)}

    def of(self, epoch: int) -> bytes:
        return {1: self.one, 2: self.two}[epoch]

    def build_delta(self, leaving: int = 1, current: int = 2) -> bytes:
        return group.multiply_scalars(self.of(current), group.invert_scalar(self.of(leaving)))

    def build_turn(self, leaving: int = 1, current: int = 2) -> Turn:
        return Turn.build(leaving, current, self.build_delta(leaving, current), self.public_keys)

    def find_pseudonym(self, person: bytes, epoch: int) -> bytes:
        """Return P = s·H of a person, whose H is `person` here."""
        return group.multiply(self.of(epoch), person)


def draw_person() -> bytes:
    """Return the H of somebody: the point that a BSN would be hashed to."""
    return group.multiply_base(group.random_scalar())
