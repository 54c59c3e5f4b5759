"""Password hashes: Argon2id on threads of its own, hashes of other shops, and the costs that this machine can bear."""
