"""Operations that a page follows while it waits."""
