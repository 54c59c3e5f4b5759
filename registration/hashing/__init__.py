"""Password hashes: Argon2id on threads of its own, hashes of other shops, what this machine can bear."""
