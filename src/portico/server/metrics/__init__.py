"""What is counted of what the workers serve, in memory that they share with their supervisor."""
