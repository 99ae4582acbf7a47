# METADATA
# title: Consent and written no-objection
# description: >-
#   Consent by its kind: for this purpose, product, source and requester, from whom the law asks it, in
#   its form, in force, not withdrawn. Jeugdwet 7.3.11, 7.3.15; UAVG 5; Wmo 5.1.1(4), 5.3.3; Pw 65(2)(b).
package datwat.consent

import rego.v1

import data.datwat.edge
import data.datwat.facts

# Duty and may rest on the law alone.
by_law if edge.found.mode in {"duty", "may"}

valid contains consent if {
	some consent in input.consents
	form_fits(consent)
	consent.purpose == input.purpose
	same_or_all(consent.product, input.ask.product)
	same_or_all(consent.source, input.ask.source)
	same_or_all(consent.requester, input.requester.id)
	time.parse_rfc3339_ns(consent.given_at) <= facts.now_ns
	time.parse_rfc3339_ns(consent.until_at) > facts.now_ns
	consent.withdrawn_at == null
	giver_fits(consent)
}

form_fits(consent) if {
	edge.found.mode == "explicit_consent"
	consent.kind == "explicit"
}

form_fits(consent) if {
	edge.found.mode == "no_objection"
	consent.kind == "no_objection"
	consent.written == true
}

same_or_all(null, _)

same_or_all(value, value)

givers := facts.covenant.consent_givers[edge.found.consent_by][input.member.age_band]

# The person alone, or together, where the age asks it; a representative only with checked authority.
giver_fits(consent) if {
	consent.given_by in givers
	authority_fits(consent.given_by)
}

giver_fits(consent) if {
	consent.given_by == "representative"
	input.member.age_band == "18+"
	authority_of({"curator", "mentor"})
}

authority_fits("self")

authority_fits(_) if authority_of({"both_parents", "one_parent", "guardian"})

# Parents who disagree: no consent.
authority_of(kinds) if {
	some authority in current_authorities
	authority.kind in kinds
	authority.source in {"document", "register"}
	every other in current_authorities {
		other.kind != "disagreement"
	}
}

current_authorities contains authority if {
	some authority in input.authorities
	time.parse_rfc3339_ns(authority.checked_at) <= facts.now_ns
	time.parse_rfc3339_ns(authority.until_at) > facts.now_ns
}

# No named fields in a consent means every field of the purpose.
covers_field(_) if by_law

covers_field(field) if {
	some consent in valid
	names(consent.fields, field)
}

names([], _)

names(named, field) if field in named
