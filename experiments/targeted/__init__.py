"""Does augmentation with rows like the hardest help? After arXiv 2410.00759, with controls."""
