"""What every page has around it: layout, texts, styles, login, sessions, forms, policy of content.

Rule: a page is complete without JavaScript, runs nothing that is not ours, is kept by nobody, and
says nothing about a person in an address.
"""
