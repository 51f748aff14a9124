"""The paper's main data, from your own copy of the Kaggle files or from simulated ones."""
