"""Are columns read as what they are? True kinds by hand against the kinds that are detected."""
