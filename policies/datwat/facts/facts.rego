# METADATA
# title: Facts
# description: >-
#   Small questions about the input that several principles ask: has a moment passed, which purpose is
#   this, may telling wait. A member that is missing, null or malformed makes each of them undefined,
#   so that what rests on it stays denied.
package datwat.facts

import rego.v1

asking := {"inquire", "request_contact", "release"}

own := {"open_session", "wish"}

now_ns := time.parse_rfc3339_ns(input.now)

day_ns := 86400000000000

second_ns := 1000000000

# The blades compare with now_ns themselves: a function costs a decision twice as much, each time.
past(at) if time.parse_rfc3339_ns(at) <= now_ns

future(at) if time.parse_rfc3339_ns(at) > now_ns

within_days(from, until, days) if {
	time.parse_rfc3339_ns(until) - time.parse_rfc3339_ns(from) <= days * day_ns
}

covenant := data.datwat.catalogue.covenant

# The registered purpose at the revision that the question names; the resident's own access needs no
# question to name it, and is the revision in force.
default purpose := {}

purpose := revision if {
	input.act in asking
	some revision in data.datwat.catalogue.purposes[input.purpose].revisions
	revision.digest == input.purpose_digest
}

purpose := revision if {
	input.act in own
	some revision in data.datwat.catalogue.purposes.own_access.revisions
	past(revision.valid_from)
	not_followed(revision, 0)
}

# Until the next revision begins, and so many seconds longer.
not_followed(revision, _) if revision.until_at == null

not_followed(revision, seconds) if {
	time.parse_rfc3339_ns(revision.until_at) + (seconds * second_ns) > now_ns
}

default requester := {}

requester := purpose.index.requesters[input.requester.function]

# A special situation holds from its declaration to the end of its term; one that a person must open
# does not end by itself (safety of persons). AVG 23(1), UAVG 41.
in_force(situation) if {
	situation.ground in object.keys(covenant.grounds)
	past(situation.declared_at)
	not_over(situation)
}

not_over(situation) if situation.opening == "by_person"

not_over(situation) if future(situation.until_at)

# What this act declares: at the opening of an occasion, or on one that is open.
declared contains input.opens.special_situation if input.opens.special_situation != null

declared contains input.new_special_situation if input.new_special_situation != null

# The one cited, and the ones declared.
situations contains situation if some situation in declared

situations contains input.occasion.special_situation if input.occasion.special_situation != null

situations_in_force contains situation if {
	some situation in situations
	in_force(situation)
}

# Telling the person may wait only while the occasion's own special situation is in force.
default telling_may_wait := false

telling_may_wait if in_force(input.occasion.special_situation)

default danger := false

danger if {
	some situation in situations_in_force
	covenant.grounds[situation.ground].danger
}

danger if input.occasion.kind == "crisis"
