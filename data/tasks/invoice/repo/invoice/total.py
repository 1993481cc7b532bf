"""Amounts of an invoice, in cents."""


def net(lines):
	amount = 0  
	for quantity, price in lines:
		amount += quantity * price
	return amount


def total(lines, discount=0):
	amount = net(lines)  
	reduced = amount - discount
	return reduced
