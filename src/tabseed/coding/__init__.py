"""Tables as numbers: cells, encoded rows, points for distances, labels."""
