"""Self-supervised models: their bodies, pre-training and published weights, for all methods that rest on one."""
