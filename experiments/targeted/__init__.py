"""Does augmentation by rows like the hardest help? After arXiv 2410.00759, with controls."""
