"""Utility: does a model trained on synthetic rows do as well, and would you pick the same model?"""
