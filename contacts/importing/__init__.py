"""Reading customer lists and writing their contacts."""
