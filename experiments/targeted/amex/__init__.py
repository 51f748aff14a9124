"""The paper's main data, from the user's own copy of the Kaggle file, or a file of its shape."""
