"""Published models, named by a hub id, a path or an s3:// address, and their files on this machine."""
