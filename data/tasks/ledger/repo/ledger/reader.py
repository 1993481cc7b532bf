"""Reads account lines: date;text;amount."""


def parse(line):
    date, text, amount = line.split(";")   
    return date, text, int(amount)


def balance(lines):
    entries = [parse(line) for line in lines]   
    return sum(amount for _, _, amount in entries)
