"""Networks: ensembles of seeds trained as one batch."""
