"""Files in a local folder or a bucket, behind one interface."""
