# gromoxd: the commands of the tree. Each sets up what it needs (tools/setup) and is quick when that is done.
SITE ?= var
PREFIX ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= /etc
BENCH ?= ../shared/bench/imap
BIN = .venv/bin

.PHONY: help run test check static fast loadtest bench samples install clean

help:
	@echo 'make run [SITE=dir]   the server with its embedded default site, in the foreground (Ctrl-C stops it)'
	@echo 'make test             all tests, real services included'
	@echo 'make check            lint, types, layers and the fast tests, in under two minutes'
	@echo 'make loadtest         Locust (mail, Outlook, address book) against a server of its own: loadtest/report.html'
	@echo 'make bench            what operations cost here, and the ratios to Dovecot where it is installed'
	@echo 'make samples          write conf/*.cfg anew from the declared settings'
	@echo 'make install [DESTDIR= PREFIX=/usr/local]   the service: private environment, units, sample configuration'
	@echo 'make clean            remove what was built; sites stay'

run:
	@tools/setup run
	@exec $(BIN)/gromoxd --embedded --site "$(SITE)"

test:
	@tools/setup test
	$(BIN)/python -m pytest -n auto --dist loadfile -p no:cacheprovider tests

check: static fast

static:
	@tools/setup test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fast:
	@tools/setup test
	$(BIN)/python -m pytest -n auto --dist loadfile -p no:cacheprovider -m 'not slow' tests

loadtest:
	@tools/setup load
	$(BIN)/python -m loadtest.run

bench:
	@tools/setup run
	$(BIN)/python -m loadtest.bench.digest
	$(BIN)/python -m loadtest.bench.store_engine
	@if [ -e "$(BENCH)/bench.py" ] && command -v doveconf >/dev/null; then \
		$(BIN)/python loadtest/bench/against_dovecot.py --bench "$(BENCH)" -- --runs 3; \
	else \
		echo 'NOT COMPARED: needs BENCH=folder of bench.py (../shared/bench/imap) and the packages dovecot-imapd,'; \
		echo 'dovecot-pop3d and dovecot-lmtpd'; \
	fi

samples:
	@tools/setup run
	$(BIN)/python tools/samples.py conf

install:
	@tools/install "$(DESTDIR)" "$(PREFIX)" "$(SYSCONFDIR)"

clean:
	rm -rf .venv .setup.lock build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
