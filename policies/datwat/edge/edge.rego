# METADATA
# title: The edge
# description: >-
#   The one edge of the purpose from the source asked to this requester for this product, with both
#   articles (two locks) and the mode. Without it nothing is released.
package datwat.edge

import rego.v1

import data.datwat.facts

default found := {}

found := entry if {
	some entry in facts.purpose.edges
	entry.source == input.ask.source_function
	entry.requester == input.requester.function
	entry.product == input.ask.product
}
