"""What an expert's knowledge is worth when rows are few: rules, margins, directions."""
