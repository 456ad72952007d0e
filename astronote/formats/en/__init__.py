"""The formats of English, which all pages of the admin are in."""
