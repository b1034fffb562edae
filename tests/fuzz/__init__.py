"""Coverage-guided fuzzing of what reads strangers' bytes; what it found once stays as a case."""
