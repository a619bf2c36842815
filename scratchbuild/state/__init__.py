"""What makes a stage stale: imprints of what it read and made, kept in its seal. No doit in here."""
