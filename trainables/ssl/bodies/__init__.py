"""The SSL upstreams, their decoders, and the walk from site to site."""
