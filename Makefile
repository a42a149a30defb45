# A thin layer over the command `lingyun` (sim/cli.py): make the virtual environment, then call it.
# Options go through: make sim CONFIG=NODE WORKLOAD=moe-ep8 SEED=7 SCALE=64 WAVES=1
# and ARGS= takes whatever else `lingyun VERB --help` explains.

PYTHON ?= python3
VENV   ?= .venv
LINGYUN = $(VENV)/bin/lingyun
READY   = $(VENV)/ready
VERBS   = doctor lint unit sim link reach fabric sweep report wave regress prove faults verilog \
          bitstream bench bench-area validate docs test

config = $(if $(CONFIG),--config '$(CONFIG)')
seed   = $(if $(SEED),--seed '$(SEED)')
waves  = $(if $(filter-out 0,$(WAVES)),--waves)
OPTIONS_sim     = $(config) $(foreach name,$(WORKLOAD),--workload '$(name)') $(seed) \
                  $(if $(SCALE),--scale '$(SCALE)') $(waves)
OPTIONS_link    = $(config) $(seed)
OPTIONS_fabric  = $(config) $(foreach name,$(WORKLOAD),--workload '$(name)') $(seed) \
                  $(if $(SCALE),--scale '$(SCALE)')
OPTIONS_reach   = $(config)
OPTIONS_sweep   = $(if $(SWEEP),'$(SWEEP)',iterations)
OPTIONS_report  = $(SWEEP)
OPTIONS_verilog = $(config)
OPTIONS_bitstream = $(if $(BOARD),--board '$(BOARD)') $(config) $(seed)
OPTIONS_wave    = $(RUN)
OPTIONS_test    = $(seed) $(waves)
OPTIONS_validate = $(seed)
OPTIONS_regress = $(seed) $(waves)

.PHONY: help setup clean $(VERBS)

help: ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | \
	    awk -F'|' '{ printf "%-11s %s\n", $$1, $$2 }'

setup: $(READY) ## make .venv and install what is needed into it
	@echo "Ready: $(LINGYUN) --help"

doctor:  ## check the machine, and say how to cure it
lint:    ## style and types
unit:    ## models and tools, without a simulator; three minutes
sim:     ## run workloads through model and RTL    CONFIG= WORKLOAD= SEED= SCALE= WAVES=1
link:    ## packets over a bad cable, and what came of them  CONFIG= SEED=
reach:   ## how long a copper cable may be         CONFIG=
fabric:  ## chips, hosts and bad cables   CONFIG= WORKLOAD= SEED= SCALE=
sweep:   ## many runs of the model, side by side  SWEEP=
report:  ## page and pictures of results            SWEEP=
wave:    ## open the waves of the latest run       RUN=
regress: ## every test, full size too              SEED= WAVES=1
prove:   ## every proof
faults:  ## break things on purpose, see them caught
verilog: ## write Verilog to build/verilog/        CONFIG=
bitstream: ## bits for an FPGA board              BOARD= CONFIG= SEED=
bench:   ## measure, against the references
bench-area: ## size and speed on an FPGA, beside peers
validate: ## published figures of schedulers, reproduced   SEED=
docs:    ## the documentation, as pages for a browser
test:    ## unit tests, benches and quick proofs   SEED= WAVES=1

$(VERBS): $(READY)
	@$(LINGYUN) $@ $(OPTIONS_$@) $(ARGS)

clean: ## delete build/, where everything generated lies
	rm -rf build

$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11 or\
	 newer (Debian, Ubuntu: apt install python3 python3-venv)." >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$$($(PYTHON)\
	 --version) is too old: set PYTHON= to Python 3.11 or newer." >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's module venv is missing:\
	 install it (Debian, Ubuntu: apt install python3-venv)." >&2; exit 2; }
	@echo "Installing into $(VENV), once ..."
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	    --constraint constraints.txt --editable '.[dev]' || { echo "pip could not install what\
	 pyproject.toml names: see its message above." >&2; exit 2; }
	@touch $@
