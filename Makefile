.PHONY: up test
up:
	python3 dev.py up
test:
	python3 dev.py test
