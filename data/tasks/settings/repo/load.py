"""Reads the defaults."""

import configparser


def load(path="defaults.ini"):
    parser = configparser.ConfigParser()
    parser.read(path)
    return {section: dict(parser[section]) for section in parser.sections()}
