"""Our generators side by side with ctgan, arfpy, python-synthpop and mostlyai-engine."""
