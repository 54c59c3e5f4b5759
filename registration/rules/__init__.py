"""What input must look like: raw values in, every violation out. Nothing here reads the database."""
