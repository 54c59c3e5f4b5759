"""Which account holds an e-mail address: claims, holders, decoys, pending accounts, forgotten addresses."""
