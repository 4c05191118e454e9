"""The networks by model and size, torch-free: arguments of the builders in trainables/networks/.

"paper" is what the separation paper's recipe trains (5.1 M, 3.7 M and 8.5 M parameters for two speakers), and of
Sandglasset the network of its own paper (2.3 M); "tiny" trains on a CPU in seconds. "original" is DPTNet by its
authors' own code, with 2,834,945 parameters: published as 2.69 M, since the tool that counted them misses the
attention's input projections. Published variants are within reach of the configuration's overrides: DPRNN at 2.6 M is
bottleneck=64, and kernel=16 with chunk=100 costs an eighth.
"""

MODELS = ("convtasnet", "dprnn", "dptnet", "sandglasset")
SIZES = ("tiny", "paper", "original")

ARCHITECTURES: dict[str, dict[str, dict[str, int]]] = {
    "convtasnet": {
        "tiny": {"filters": 64, "kernel": 32, "bottleneck": 32, "hidden": 64, "blocks": 4, "repeats": 2},
        "paper": {"filters": 512, "kernel": 16, "bottleneck": 128, "hidden": 512, "blocks": 8, "repeats": 3},
    },
    "dprnn": {
        "tiny": {"filters": 32, "kernel": 32, "bottleneck": 32, "hidden": 32, "blocks": 2, "chunk": 40},
        "paper": {"filters": 64, "kernel": 2, "bottleneck": 128, "hidden": 128, "blocks": 6, "chunk": 250},
    },
    "dptnet": {
        "tiny": {"filters": 32, "kernel": 32, "hidden": 32, "blocks": 1, "chunk": 40},
        "paper": {"filters": 64, "kernel": 2, "hidden": 256, "blocks": 6, "chunk": 250},
        "original": {"filters": 256, "kernel": 2, "bottleneck": 64, "hidden": 128, "blocks": 6, "chunk": 250},
    },
    "sandglasset": {
        "tiny": {"filters": 32, "kernel": 32, "bottleneck": 16, "hidden": 16, "blocks": 6, "chunk": 64, "heads": 2},
        "paper": {"filters": 256, "kernel": 4, "bottleneck": 128, "hidden": 128, "blocks": 6, "chunk": 256, "heads": 8},
    },
}
