# How every layer is built. `sam build` runs a layer's Makefile in a scratch copy of its folder, but
# names the Makefile by its place in the checkout, so the shared script is found from there.
LAYER := $(abspath $(dir $(firstword $(MAKEFILE_LIST))))
PYTHON ?= $(firstword $(wildcard $(LAYER)/../../.venv/bin/python) python3)

define BUILD_LAYER
@$(PYTHON) $(LAYER)/../build_layer.py $(LAYER) $(ARTIFACTS_DIR)
endef
