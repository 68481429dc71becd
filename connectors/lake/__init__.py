"""The lake: bronze, silver, quarantine, reading back."""
