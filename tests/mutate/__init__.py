"""The mutation check of the policies: take each condition out in turn; none may go unnoticed."""
