"""A bank of tables on which synthetic rows were tried, and what can be foretold of them."""
