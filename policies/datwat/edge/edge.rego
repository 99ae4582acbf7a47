# METADATA
# title: The edge
# description: >-
#   The one edge of the purpose from the source asked to this requester for this product, with both
#   articles (two locks) and the mode. Without it nothing is released.
package datwat.edge

import rego.v1

import data.datwat.facts

default found := {}

found := facts.purpose.index.edges[input.ask.source_function][input.requester.function][input.ask.product]
